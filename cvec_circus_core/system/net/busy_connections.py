"""Which connections to managed sockets are in the middle of a request, and whose they are.

The kernel is asked by netlink for the connections of one port, which tells when each was last read
from and written to. A connection counts as under way from its beginning until its first answer,
and later from a piece that comes to the answer that is sent; a moment of doubt follows each, since
the times are coarse. One that is merely kept open for a next request does not count.

Where netlink is not to be had, the tables in /proc are read; they tell no times, so every open
connection counts there, as every one of a Unix socket does.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable, Iterator

from cvec_circus_core.model.launch import Served
from cvec_circus_core.system.net.netlink import TCP_INFO, NetlinkConnection, SockDiag
from cvec_circus_core.system.proc import net_rows, sockets_of

_LAST_SENT, _LAST_RECEIVED, _PIECES_SENT = 44, 52, 156
_OPEN = (1, 4, 5, 8)
"""Established, closed by us (two states), closed by the other."""
_DOUBT = 1000
"""Milliseconds."""
_CONNECTED = b"03"


def under_way(served: Served) -> frozenset[int]:
    """Return the inodes of all connections that somebody waits for an answer on."""
    inodes: set[int] = set()
    if served.ports:
        try:
            inodes.update(_ask(served.ports))
        except OSError:
            inodes.update(_in_tables(served.ports))
    if served.paths:
        inodes.update(_of_files(served.paths))
    return frozenset(inodes - {0})


def is_any_busy(pids: Iterable[int], served: Served) -> bool:
    """Tell whether one of these processes has such a connection."""
    busy = under_way(served)
    return bool(busy) and any(busy & _sockets_of(pid) for pid in pids)


def _sockets_of(pid: int) -> frozenset[int]:
    try:
        return sockets_of(pid)
    except OSError:
        return frozenset()


def _ask(ports: frozenset[int]) -> Iterator[int]:
    with SockDiag() as netlink:
        for family in (socket.AF_INET, socket.AF_INET6):
            for port in ports:
                for connection in netlink.connections(family, port, _OPEN, TCP_INFO):
                    if _is_busy(connection):
                        yield connection.inode


def _is_busy(connection: NetlinkConnection) -> bool:
    info = connection.attribute(TCP_INFO)
    if len(info) < _PIECES_SENT + 4:
        return True  # a kernel that does not tell enough

    def number(offset: int) -> int:
        return int(struct.unpack_from("=I", info, offset)[0])

    if not number(_PIECES_SENT):
        return True
    sent, received = number(_LAST_SENT), number(_LAST_RECEIVED)
    return min(sent, received) < _DOUBT or received < sent


def _in_tables(ports: frozenset[int]) -> Iterator[int]:
    states = {b"%02X" % state for state in _OPEN}
    for table in ("tcp", "tcp6"):
        for words in net_rows(table, 10):
            if words[3] in states and int(words[1].rpartition(b":")[2], 16) in ports:
                yield int(words[9])


def _of_files(paths: frozenset[str]) -> Iterator[int]:
    spelled = {os.fsencode(path) for path in paths}
    for words in net_rows("unix", 7):
        if len(words) > 7 and words[5] == _CONNECTED and words[7] in spelled:
            yield int(words[6])
