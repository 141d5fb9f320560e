"""The one reader of /proc (Linux): its files are read here, and spelled out in their own modules.

A process may go at any moment, so a reader of one gets None, or nothing, where it is gone.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

HAS_PROC = sys.platform.startswith("linux")
GONE = frozenset({errno.ESRCH, errno.EINVAL})
"""What pidfd_open says of a process that is gone, and of one that is going just now."""

_USUAL_SIZE = 4096
_TABLE_BUFFER = 1 << 18
_SOCKET = "socket:["


class Stat(NamedTuple):
    """The line of a process or thread in its file ``stat``, with the words behind the name."""

    name: bytes
    words: list[bytes]

    @property
    def state(self) -> bytes:
        """One letter: R, S, D, T, t, Z, X, I …"""
        return self.words[0]


def read(pid: int | str, file: str, size: int | None = _USUAL_SIZE) -> bytes:
    """Return the beginning of a file about a process; all of it where no size is given.

    Raises OSError.
    """
    with open(f"/proc/{pid}/{file}", "rb", buffering=0) as content:
        return content.readall() if size is None else content.read(size)


def read_or_none(pid: int | str, file: str, size: int | None = _USUAL_SIZE) -> bytes | None:
    """Return the beginning of a file about a process, if there is one that we may read."""
    try:
        return read(pid, file, size)
    except OSError:
        return None


def read_stat(pid: int, thread: str | None = None) -> Stat | None:
    """Look at a process, or at one of its threads; None if it is gone."""
    try:
        line = read(pid, "stat" if thread is None else f"task/{thread}/stat")
    except OSError:
        return None
    # The name in brackets may hold anything, brackets too: what counts is behind the last one.
    name, _, rest = line.rpartition(b")")
    return Stat(name.partition(b"(")[2], rest.split())


def list_pids() -> list[int]:
    """Return the numbers of all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def list_threads(pid: int) -> list[str]:
    """Return the names of a process's threads; none if it is gone."""
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def user_of(pid: int) -> int | None:
    """Return the uid of a process; None if it is gone."""
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None


def may_list_descriptors(pid: int) -> bool:
    """Tell whether we may see what a process has open."""
    return os.access(f"/proc/{pid}/fd", os.R_OK | os.X_OK)


def count_descriptors(pid: int) -> int | None:
    """Count the open descriptors of a process; None where that is secret."""
    try:
        # Linux tells the number as a size from 6.2 on, and 0 before.
        return os.stat(f"/proc/{pid}/fd").st_size or len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None


def descriptors_of(pid: int) -> Iterator[tuple[int, str]]:
    """Yield the open descriptors of a process, each with what it leads to. Raises OSError."""
    folder = f"/proc/{pid}/fd"
    for number in os.listdir(folder):
        try:
            yield int(number), os.readlink(f"{folder}/{number}")
        except FileNotFoundError:
            continue


def sockets_of(pid: int) -> frozenset[int]:
    """Return the inodes of the sockets that a process has. Raises OSError."""
    links = (link for _, link in descriptors_of(pid) if link.startswith(_SOCKET))
    return frozenset(int(link[len(_SOCKET) : -1]) for link in links)


def net_rows(table: str, splits: int = -1) -> Iterator[list[bytes]]:
    """Yield the rows of a table of the network (``tcp``, ``udp6``, ``unix`` …), without its head.

    Each is split so often at most, if that is said; nothing where there is no such table.
    """
    try:
        with open(f"/proc/net/{table}", "rb", buffering=_TABLE_BUFFER) as rows:
            next(rows, None)
            for row in rows:
                yield row.rstrip(b"\n").split(None, splits)
    except OSError:
        return
