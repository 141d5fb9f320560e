"""Which process holds a port, as the kernel says: its tables of sockets, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable

from cvec_circus_core.system.proc import list_pids, net_rows, read_or_none, sockets_of
from cvec_circus_core.system.processes.process_table import child_pids

_LISTENING = b"0A"
_INODE = 9
_MOST = 1000
"""Processes of one tree that are looked at."""


def ports_of(pids: Iterable[int]) -> frozenset[int]:
    """Return the ports at which these processes, or descendants of theirs, listen."""
    inodes = {inode for pid in _with_descendants(pids) for inode in _sockets(pid)}
    return frozenset(port for port, inode in _listening() if inode in inodes)


def holder_of(port: int) -> int | None:
    """Return the pid of who listens at a port; None where nobody does, or it can not be seen."""
    inodes = {inode for listened, inode in _listening() if listened == port}
    if not inodes:
        return None
    return next((pid for pid in list_pids() if not inodes.isdisjoint(_sockets(pid))), None)


def words_of(pid: int) -> tuple[str, ...]:
    """Return the command line of a process, nothing where it is gone."""
    line = read_or_none(pid, "cmdline") or b""
    return tuple(word.decode(errors="replace") for word in line.removesuffix(b"\0").split(b"\0"))


def _with_descendants(pids: Iterable[int]) -> list[int]:
    tree = list(pids)
    for pid in tree:
        if len(tree) >= _MOST:
            break
        tree += child_pids(pid)
    return tree


def _sockets(pid: int) -> frozenset[int]:
    try:
        return sockets_of(pid)
    except OSError:
        return frozenset()


def _listening() -> Iterable[tuple[int, int]]:
    """Yield port and inode of all that listens, and of datagram sockets."""
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for words in net_rows(table, _INODE + 1):
            if table.startswith("udp") or words[3] == _LISTENING:
                yield int(words[1].rpartition(b":")[2], 16), int(words[_INODE])
