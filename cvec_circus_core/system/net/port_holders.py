"""Which processes hold an address, as the kernel says: its tables of sockets, and whose they are.

A socket that was inherited is held by several, and the one that called listen may be gone: what the
descriptors of living processes lead to is what is so now.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Iterable

from cvec_circus_core.model.text import escaped
from cvec_circus_core.system.deadline import Deadline
from cvec_circus_core.system.proc import list_pids, net_rows, read_or_none, sockets_of
from cvec_circus_core.system.processes.abandoned import is_abandoned
from cvec_circus_core.system.processes.process_table import child_pids

_LISTENING = b"0A"
_TABLES = {"SOCK_STREAM": ("tcp", "tcp6"), "SOCK_DGRAM": ("udp", "udp6")}
_ALL_TABLES = ("tcp", "tcp6", "udp", "udp6")
_INODE, _UNIX_INODE = 9, 6
_MOST = 1000
"""Processes of one tree that are looked at."""
_NAMED, _LONGEST_NAME = 10, 40
IN_USE = "another process listens there already"
_SECONDS = 0.5
"""Seconds that a look at all processes may take."""


def ports_of(pids: Iterable[int]) -> frozenset[int]:
    """Return the ports at which these processes, or descendants of theirs, listen."""
    inodes = {inode for pid in with_descendants(pids) for inode in _sockets(pid)}
    return frozenset(port for port, inode in _listening() if inode in inodes)


def holder_of(port: int) -> int | None:
    """Return the pid of who listens at a port; None where nobody does, or it can not be seen."""
    return next(iter(holders_of_port(port)), None)


def holders_of_port(port: int, kind: str | None = None) -> list[int]:
    """Return the pids of all who hold a socket that listens at a port, as far as it is seen.

    ``kind`` is the type of socket, such as SOCK_STREAM; any, if it is not said.
    """
    tables = _TABLES.get(kind or "", _ALL_TABLES)
    return _holders({inode for listened, inode in _listening(tables) if listened == port})


def holders_of_path(path: str) -> list[int]:
    """Return the pids of all who hold the Unix socket that was bound to a path."""
    rows = net_rows("unix", _UNIX_INODE + 1)
    name = os.fsencode(path)
    return _holders({int(row[_UNIX_INODE]) for row in rows if row[_UNIX_INODE + 1 :] == [name]})


def in_use(holders: Collection[int]) -> str:
    """Return the sentence for an address that is in use, with all who hold it that are known.

    Those whom a daemon has left that was killed have nobody to ask to stop them, so it says how.
    """
    pids = [pid for pid in holders if pid]
    if not pids:
        return IN_USE
    each = [f"{pid} ({program_of(pid)})" for pid in pids[:_NAMED]]
    more = f" and {len(pids) - _NAMED} more" if len(pids) > _NAMED else ""
    names = f"{IN_USE}: {', '.join(each)}{more}"
    if not all(map(is_abandoned, pids)):
        return names
    kill = shlex.join(["kill", *map(str, pids)])
    return f"{names}, left behind by a circusd that was killed; '{kill}' ends what holds it"


def program_of(pid: int) -> str:
    """Return the name of a process's program, for messages."""
    return escaped(os.path.basename((words_of(pid) or ("",))[0]), _LONGEST_NAME)


def words_of(pid: int) -> tuple[str, ...]:
    """Return the command line of a process, nothing where it is gone."""
    line = read_or_none(pid, "cmdline") or b""
    return tuple(word.decode(errors="replace") for word in line.removesuffix(b"\0").split(b"\0"))


def _holders(inodes: Collection[int]) -> list[int]:
    if not inodes:
        return []
    deadline = Deadline(_SECONDS)
    pids: list[int] = []
    for pid in list_pids():
        if not _sockets(pid).isdisjoint(inodes):
            pids.append(pid)
        if not deadline.left():
            break
    return pids


def with_descendants(pids: Iterable[int]) -> list[int]:
    """Return processes and what descends from them."""
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


def _listening(tables: Iterable[str] = _ALL_TABLES) -> Iterable[tuple[int, int]]:
    """Yield port and inode of all that listens, and of datagram sockets."""
    for table in tables:
        for words in net_rows(table, _INODE + 1):
            if table.startswith("udp") or words[3] == _LISTENING:
                yield int(words[1].rpartition(b":")[2], 16), int(words[_INODE])
