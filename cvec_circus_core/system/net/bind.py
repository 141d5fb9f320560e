"""How a socket gets its address, and why it may not: one sentence for each refusal."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from cvec_circus_core.model.bind_plan import BindPlan
from cvec_circus_core.model.errors import CannotBind, SystemProblem
from cvec_circus_core.system.accounts import gid_of, uid_of
from cvec_circus_core.system.net.endpoint_files import listener_of
from cvec_circus_core.system.net.port_holders import holders_of_path, holders_of_port, in_use
from cvec_circus_core.system.trusted_paths import Spot, UntrustedPath, hold
from cvec_circus_core.system.umask import umask

_ALL_MODES = 0o777
_LONGEST_PATH = 107

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""As the socket module has it, by its family."""


class Refusal(OSError):
    """Something that we know better than the system how to say."""


@contextmanager
def refusals(plan: BindPlan, where: str | None = None) -> Iterator[None]:
    """Turn whatever the system says into `CannotBind`, with the section that it is about."""
    try:
        yield
    except (OSError, OverflowError, ValueError, SystemProblem) as error:
        place = f" can not listen at {where}" if where else " can not be made"
        name = f"[socket:{plan.name}]" if plan.name else "a socket"
        raise CannotBind(f"{name}{place}: {_explained(error, plan)}") from error


def set_up(made: socket.socket, plan: BindPlan) -> None:
    """Set what has to be set before an address is taken."""
    made.setblocking(plan.blocking)
    if not plan.is_unix and plan.type in ("SOCK_STREAM", "SOCK_SEQPACKET"):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if plan.so_reuseport:
        _set(made, "SO_REUSEPORT", 1, "so_reuseport")
    if plan.interface is not None:
        device = f"{plan.interface}\0".encode()
        _set(made, "SO_BINDTODEVICE", device, f"interface {plan.interface!r}")


def _set(made: socket.socket, option: str, value: int | bytes, what: str) -> None:
    number: Any = getattr(socket, option, None)
    if number is None:
        raise Refusal(f"{what} can not be had on this system")
    try:
        made.setsockopt(socket.SOL_SOCKET, number, value)
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise Refusal(f"there is no network device for {what}") from None
        raise Refusal(f"{what} was refused: {_lower(error)}") from None


def resolved(plan: BindPlan) -> Address:
    """Return the first address of the host in the plan's family."""
    family = getattr(socket, plan.family)
    try:
        addresses = socket.getaddrinfo(plan.host, plan.port, family, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        kind = "IPv6 " if plan.family == "AF_INET6" else "IPv4 "
        hint = (
            "; family = AF_INET6 is for such"
            if family == socket.AF_INET and ":" in plan.host
            else ""
        )
        raise Refusal(f"no {kind}address is known for the host {plan.host!r}{hint}") from None
    return addresses[0][4]


def make_file_free(path: str, *, replace: bool) -> None:
    """Remove what is in the way of a Unix socket, if that is allowed.

    A socket that nobody listens at is left over from a daemon that was killed, and goes; one that
    somebody listens at stays, whatever is allowed.

    Raises `SystemProblem` where somebody could have led the path elsewhere.
    """
    try:
        with hold(path, follow=False) as spot:
            _make_free(spot, path, replace=replace)
    except FileNotFoundError:
        return


def _is_left_over(path: str) -> bool:
    """Tell whether nobody listens at a Unix socket. Raises `Refusal` where somebody does."""
    try:
        pid = listener_of(path)
    except OSError:
        return False
    if pid is not None:
        raise Refusal(in_use(holders_of_path(path) or [pid]))
    return True


def _make_free(spot: Spot, path: str, *, replace: bool) -> None:
    state = spot.look()
    if stat.S_ISDIR(state.st_mode):
        raise Refusal("there is a folder of that name")
    if stat.S_ISSOCK(state.st_mode) and _is_left_over(path):
        spot.remove()
        return
    if not replace:
        raise Refusal("the file already exists (replace = true would remove it)")
    spot.remove()


class SocketFile(NamedTuple):
    """The file of a Unix socket, told from others that may take its name."""

    path: str
    device: int
    inode: int


def mode_of(plan: BindPlan) -> int:
    """Return the mode that a Unix socket's file is to have."""
    return _ALL_MODES & ~plan.umask if plan.mode is None else plan.mode


def bind_file(made: socket.socket, plan: BindPlan, path: str) -> SocketFile:
    """Bind a Unix socket and give its file to whom it belongs.

    The file has its mode from its first moment: bind follows the umask of the process.
    """
    with umask(_ALL_MODES & ~mode_of(plan)):
        made.bind(path)
    state = os.lstat(path)
    file = SocketFile(path, state.st_dev, state.st_ino)
    try:
        own_file(path, plan)
    except (OSError, SystemProblem):
        remove_file(file)
        raise
    return file


def file_at(path: str) -> SocketFile | None:
    """Return the file of a socket that somebody else has bound; None where it is gone."""
    try:
        state = os.lstat(path)
    except OSError:
        return None
    return SocketFile(path, state.st_dev, state.st_ino)


def own_file(path: str, plan: BindPlan, mode: int | None = None) -> None:
    """Give a Unix socket's file the owner and group of the plan, and a mode."""
    if plan.owner is None and plan.group is None and mode is None:
        return
    uid = -1 if plan.owner is None else uid_of(plan.owner)
    gid = -1 if plan.group is None else gid_of(plan.group)
    try:
        with hold(path, follow=False) as spot:
            spot.give_socket(mode, uid, gid)
    except PermissionError:
        raise Refusal("only root may give the file to somebody else") from None


def remove_file(file: SocketFile) -> None:
    """Remove a Unix socket's file, unless another one has taken its name."""
    try:
        with hold(file.path, follow=False) as spot:
            state = spot.look()
            if (state.st_dev, state.st_ino) == (file.device, file.inode):
                spot.remove()
    except (OSError, UntrustedPath):
        return


def _explained(error: BaseException, plan: BindPlan) -> str:
    if isinstance(error, Refusal | SystemProblem):
        return str(error)
    number = getattr(error, "errno", None)
    match number:
        case errno.EADDRINUSE:
            return in_use(() if plan.is_unix else holders_of_port(plan.port, plan.type))
        case errno.EACCES | errno.EPERM if plan.is_unix:
            return "permission denied"
        case errno.EACCES | errno.EPERM if 0 < plan.port < 1024:
            return "permission denied, because ports below 1024 are for root"
        case errno.ENOENT:
            return "the folder is not there"
        case errno.EADDRNOTAVAIL:
            return "no network device of this machine has that address"
        case errno.EAFNOSUPPORT:
            return f"this system has no {plan.family}"
        case errno.EPROTONOSUPPORT | errno.ESOCKTNOSUPPORT | errno.EPROTOTYPE:
            return f"this system has no {plan.type} of {'AF_UNIX' if plan.is_unix else plan.family}"
        case None if plan.is_unix:
            return f"the path is too long for a Unix socket (at most {_LONGEST_PATH} bytes)"
        case _:
            return _lower(error)


def _lower(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
