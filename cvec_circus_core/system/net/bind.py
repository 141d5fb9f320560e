"""How a socket gets its address, and why it may not: one sentence for each refusal."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cvec_circus_core.model.errors import CannotBind, SystemProblem
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.system.accounts import gid_of, uid_of
from cvec_circus_core.system.trusted_paths import Spot, UntrustedPath, hold

_ALL_MODES = 0o777
_LONGEST_PATH = 107


class Refusal(OSError):
    """Something that we know better than the system how to say."""


@contextmanager
def refusals(spec: SocketSpec, where: str | None = None) -> Iterator[None]:
    """Turn whatever the system says into `CannotBind`, with the section that it is about."""
    try:
        yield
    except (OSError, OverflowError, ValueError, SystemProblem) as error:
        place = f" can not listen at {where}" if where else " can not be made"
        name = f"[socket:{spec.name}]" if spec.name else "a socket"
        raise CannotBind(f"{name}{place}: {_explained(error, spec)}") from error


def set_up(one: socket.socket, spec: SocketSpec) -> None:
    """Set what has to be set before an address is taken."""
    one.setblocking(spec.blocking)
    if not spec.is_unix and spec.type in ("SOCK_STREAM", "SOCK_SEQPACKET"):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if spec.so_reuseport:
        _set(one, "SO_REUSEPORT", 1, "so_reuseport")
    if spec.interface is not None:
        device = f"{spec.interface}\0".encode()
        _set(one, "SO_BINDTODEVICE", device, f"interface {spec.interface!r}")


def _set(one: socket.socket, option: str, value: int | bytes, what: str) -> None:
    number: Any = getattr(socket, option, None)
    if number is None:
        raise Refusal(f"{what} can not be had on this system")
    try:
        one.setsockopt(socket.SOL_SOCKET, number, value)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise Refusal(f"there is no network device for {what}") from None
        raise Refusal(f"{what} was refused: {_lower(error)}") from None


def resolved(spec: SocketSpec) -> Any:
    """Return the first address of the host in the spec's family."""
    family = getattr(socket, spec.family)
    try:
        found = socket.getaddrinfo(spec.host, spec.port, family, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        kind = "IPv6 " if spec.family == "AF_INET6" else "IPv4 "
        raise Refusal(f"no {kind}address is known for the host {spec.host!r}") from None
    return found[0][4]


def make_file_free(path: str, *, replace: bool) -> None:
    """Remove what is in the way of a Unix socket, if that is allowed.

    Raises `SystemProblem` where somebody could have led the path elsewhere.
    """
    try:
        with hold(path, follow=False) as spot:
            _make_free(spot, replace=replace)
    except FileNotFoundError:
        return


def _make_free(spot: Spot, *, replace: bool) -> None:
    found = spot.look()
    if stat.S_ISDIR(found.st_mode):
        raise Refusal("there is a folder of that name")
    if not replace:
        raise Refusal("the file is there already (replace = true would remove it)")
    spot.remove()


class SocketFile(Struct, frozen=True):
    """The file of a Unix socket, told from others that may take its name."""

    path: str
    device: int
    inode: int


def mode_of(spec: SocketSpec) -> int:
    """Return the mode that a Unix socket's file is to have."""
    return _ALL_MODES & ~spec.umask if spec.mode is None else spec.mode


def bind_file(one: socket.socket, spec: SocketSpec, path: str) -> SocketFile:
    """Bind a Unix socket and give its file to whom it belongs.

    The file has its mode from its first moment: bind follows the umask of the process.
    """
    before = os.umask(_ALL_MODES & ~mode_of(spec))
    try:
        one.bind(path)
    finally:
        os.umask(before)
    found = os.lstat(path)
    made = SocketFile(path, found.st_dev, found.st_ino)
    try:
        own_file(path, spec)
    except (OSError, SystemProblem):
        remove_file(made)
        raise
    return made


def own_file(path: str, spec: SocketSpec, mode: int | None = None) -> None:
    """Give a Unix socket's file the owner and group of the spec, and a mode."""
    if spec.owner is None and spec.group is None and mode is None:
        return
    uid = -1 if spec.owner is None else uid_of(spec.owner)
    gid = -1 if spec.group is None else gid_of(spec.group)
    try:
        with hold(path, follow=False) as spot:
            spot.give_socket(mode, uid, gid)
    except PermissionError:
        raise Refusal("only root may give the file to somebody else") from None


def remove_file(made: SocketFile) -> None:
    """Remove a Unix socket's file, unless another one has taken its name."""
    try:
        with hold(made.path, follow=False) as spot:
            found = spot.look()
            if (found.st_dev, found.st_ino) == (made.device, made.inode):
                spot.remove()
    except (OSError, UntrustedPath):
        return


def _explained(error: BaseException, spec: SocketSpec) -> str:
    if isinstance(error, Refusal | SystemProblem):
        return str(error)
    number = getattr(error, "errno", None)
    match number:
        case errno.EADDRINUSE:
            return "somebody listens there already"
        case errno.EACCES | errno.EPERM if spec.is_unix:
            return "permission denied"
        case errno.EACCES | errno.EPERM if 0 < spec.port < 1024:
            return "permission denied, because ports below 1024 are for root"
        case errno.ENOENT:
            return "the folder is not there"
        case errno.EADDRNOTAVAIL:
            return "no network device of this machine has that address"
        case errno.EAFNOSUPPORT:
            return f"this system has no {spec.family}"
        case errno.EPROTONOSUPPORT | errno.ESOCKTNOSUPPORT | errno.EPROTOTYPE:
            return f"this system has no {spec.type} of {'AF_UNIX' if spec.is_unix else spec.family}"
        case None if spec.is_unix:
            return f"the path is too long for a Unix socket (at most {_LONGEST_PATH} bytes)"
        case _:
            return _lower(error)


def _lower(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
