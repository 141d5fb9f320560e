"""Descriptors of processes that live on without their daemon: sockets and pipes, got back (Linux).

A socket is duplicated out of a process (pidfd_getfd, Linux 5.6). What that process writes goes into
a pipe whose reading end has died with the daemon, but whose writing end lives: a pipe can be opened
anew for reading through it. One that has a reader is none of ours.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
from collections.abc import Collection
from contextlib import suppress

from cvec_circus_core.system.proc import descriptors_of, list_pids, read_or_none

_GETFD = 438
_PIPE, _SOCKET = "pipe:[", "socket:["
_OUTPUTS = {"stdout": 1, "stderr": 2}
_FLAGS = re.compile(rb"(?m)^flags:\s+0*([0-7]+)$")


def sockets_within(pid: int) -> list[socket.socket]:
    """Return duplicates of the sockets of a process. Raises OSError where that is not allowed."""
    sockets: list[socket.socket] = []
    pidfd = os.pidfd_open(pid)
    try:
        for number, link in descriptors_of(pid):
            if link.startswith(_SOCKET):
                sockets.append(socket.socket(fileno=_copy(pidfd, number)))
    except OSError:
        for ours in sockets:
            ours.close()
        raise
    finally:
        os.close(pidfd)
    return sockets


def outputs_of(pids: Collection[int]) -> dict[int, dict[str, int]]:
    """Return what processes write, by pid: reading ends of pipes that have lost theirs."""
    paths = {(pid, name): f"/proc/{pid}/fd/{n}" for pid in pids for name, n in _OUTPUTS.items()}
    links: dict[str, tuple[int, str]] = {}
    for key, path in paths.items():
        with suppress(OSError):
            # A pipe that two have in common is read once.
            if (link := os.readlink(path)).startswith(_PIPE):
                links.setdefault(link, key)
    outputs: dict[int, dict[str, int]] = {pid: {} for pid in pids}
    for link in links.keys() - _with_readers(links):
        pid, name = links[link]
        with suppress(OSError):
            outputs[pid][name] = os.open(paths[pid, name], os.O_RDONLY | os.O_NONBLOCK)
    return outputs


def _with_readers(links: Collection[str]) -> set[str]:
    read_links: set[str] = set()
    for pid in list_pids() if links else ():
        with suppress(OSError):
            for number, link in descriptors_of(pid):
                if link in links and link not in read_links and _may_read(pid, number):
                    read_links.add(link)
    return read_links


def _may_read(pid: int, number: int) -> bool:
    match = _FLAGS.search(read_or_none(pid, f"fdinfo/{number}") or b"")
    return match is not None and int(match[1], 8) & os.O_ACCMODE != os.O_WRONLY


def _copy(pidfd: int, number: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    fd = int(libc.syscall(_GETFD, pidfd, number, 0))
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return fd
