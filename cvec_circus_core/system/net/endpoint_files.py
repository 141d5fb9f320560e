"""The file of a Unix endpoint: made with the right mode from its first moment, and given away."""

from __future__ import annotations

import errno
import os
import socket
import stat
import struct
from contextlib import AbstractContextManager

from cvec_circus_core.model.errors import CannotBind, SystemProblem
from cvec_circus_core.system.accounts import uid_of, user_name
from cvec_circus_core.system.trusted_paths import UntrustedPath, hold
from cvec_circus_core.system.umask import umask

_ONLY_ME = 0o177
_SCHEME = "ipc://"
_CREDENTIALS = struct.Struct("=iII")


def path_of(endpoint: str) -> str | None:
    """Return the file of an endpoint, or None where it has none."""
    path = endpoint.removeprefix(_SCHEME)
    return None if path == endpoint or path in ("", "*") or path.startswith("@") else path


def listener_of(path: str) -> int | None:
    """Return the pid of who listens at a Unix socket, 0 where that is not told, None for nobody.

    Raises OSError where the file can not be asked.
    """
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as probe:
            probe.setblocking(False)
            try:
                probe.connect(path)
            except BlockingIOError:
                return 0  # There is a queue, and it is full.
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            except OSError as error:
                if error.errno != errno.EPROTOTYPE:
                    raise
                continue
            return 0 if kind == socket.SOCK_DGRAM else _pid_of_peer(probe)
    return None


def _pid_of_peer(connection: socket.socket) -> int:
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(credentials)[0])


def is_taken(endpoint: str) -> bool:
    """Tell whether something else than a socket has the name of an endpoint's file."""
    path = path_of(endpoint)
    try:
        return path is not None and not stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False  # The bind says it better.


def folder_doubts(endpoint: str) -> list[str]:
    """Return what is strange about the folder of an endpoint.

    Raises `CannotBind` where every user could put a file of their own in its place, and where
    somebody could have led the path elsewhere.
    """
    path = path_of(endpoint)
    if path is None:
        return []
    try:
        with hold(path, follow=False):
            pass
    except UntrustedPath as error:
        raise CannotBind(f"ipc://{error}") from None
    except OSError:
        return []  # The bind says it better.
    folder = os.path.dirname(path) or "."
    try:
        found = os.stat(folder)
    except OSError:
        return []  # The bind says it better.
    sticky, mode = bool(found.st_mode & stat.S_ISVTX), stat.S_IMODE(found.st_mode)
    if mode & stat.S_IWOTH and not sticky:
        raise CannotBind(
            f"{endpoint} is in a folder where every user may replace it: "
            f"use one that only its owner may write (mode 755 or less, not {mode:o})"
        )
    doubts = []
    if mode & stat.S_IWOTH:
        doubts.append("everybody may take that name whenever it is free")
    elif mode & stat.S_IWGRP and not sticky:
        doubts.append(f"its folder may be written by a group (mode {mode:o})")
    if found.st_uid not in (0, os.geteuid()):
        doubts.append(f"its folder belongs to user {user_name(found.st_uid)!r}")
    return [f"{endpoint}: {doubt}" for doubt in doubts]


def made_for_me() -> AbstractContextManager[None]:
    """Let files that are made meanwhile be for nobody else."""
    return umask(_ONLY_ME)


def give(endpoint: str, owner: int | str | None, *, to_others: bool) -> None:
    """Give the file of a bound endpoint to its owner, and let others connect or not.

    Raises `CannotBind`.
    """
    path = path_of(endpoint)
    if path is None:
        return
    try:
        # Connecting takes the right to write. Who it is, the kernel tells the daemon.
        mode = 0o666 if to_others else 0o600
        with hold(path, follow=False) as spot:
            spot.give_socket(mode, -1 if owner is None else uid_of(owner))
    except PermissionError:
        raise CannotBind(
            f"only root may give {endpoint} to endpoint_owner {str(owner)!r}"
        ) from None
    except (OSError, SystemProblem) as error:
        raise CannotBind(f"{endpoint} can not be given to its owner: {error}") from None
