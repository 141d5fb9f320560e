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
from collections.abc import Iterator

from cvec_circus_core.model.launch import Served

_SOCK_DIAG, _BY_FAMILY = 4, 20
_DUMP = 0x301
_DONE, _ERROR = 3, 2
_TIMES = 1 << 1
"""Asks for tcp_info."""
_INFO = 2
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI2s2s16s16sIII")
_ANSWER = 72
_INODE = 68
_LAST_SENT, _LAST_RECEIVED, _PIECES_SENT = 44, 52, 156
_OPEN = (1, 4, 5, 8)
"""Established, closed by us (two states), closed by the other."""
_DOUBT = 1000
"""Milliseconds."""
_CONNECTED = "03"


def under_way(served: Served) -> frozenset[int]:
    """Return the inodes of all connections that somebody waits for an answer on."""
    found: set[int] = set()
    if served.ports:
        try:
            found.update(_asked(served.ports))
        except OSError:
            found.update(_in_tables(served.ports))
    if served.paths:
        found.update(_of_files(served.paths))
    return frozenset(found - {0})


def sockets_of(pid: int) -> frozenset[int]:
    """Return the inodes of the sockets that a process has. Raises OSError."""
    folder, found = f"/proc/{pid}/fd", []
    for number in os.listdir(folder):
        try:
            link = os.readlink(f"{folder}/{number}")
        except FileNotFoundError:
            continue
        if link.startswith("socket:["):
            found.append(int(link[8:-1]))
    return frozenset(found)


def _asked(ports: frozenset[int]) -> Iterator[int]:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, _SOCK_DIAG) as netlink:
        netlink.settimeout(1.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            for port in ports:
                netlink.send(_question(family, port))
                yield from _answers(netlink)


def _question(family: int, port: int) -> bytes:
    states = sum(1 << state for state in _OPEN)
    here = port.to_bytes(2, "big")
    body = _QUESTION.pack(
        family, socket.IPPROTO_TCP, _TIMES, states, here, b"", b"", b"", 0, 0xFFFFFFFF, 0xFFFFFFFF
    )
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _DUMP, 1, 0) + body


def _answers(netlink: socket.socket) -> Iterator[int]:
    while True:
        said, at = netlink.recv(1 << 16), 0
        while at < len(said):
            size, kind, _, _, _ = _HEADER.unpack_from(said, at)
            if kind == _DONE:
                return
            if kind == _ERROR or size < _HEADER.size + _ANSWER:
                raise OSError("netlink does not tell connections")
            body = said[at + _HEADER.size : at + size]
            if _is_busy(_tcp_info(body[_ANSWER:])):
                yield int(struct.unpack_from("=I", body, _INODE)[0])
            at += size + 3 & ~3


def _tcp_info(attributes: bytes) -> bytes:
    at = 0
    while at + 4 <= len(attributes):
        size, kind = struct.unpack_from("=HH", attributes, at)
        if kind == _INFO:
            return attributes[at + 4 : at + size]
        at += max(size, 4) + 3 & ~3
    return b""


def _is_busy(info: bytes) -> bool:
    if len(info) < _PIECES_SENT + 4:
        return True  # a kernel that does not tell enough

    def number(offset: int) -> int:
        return int(struct.unpack_from("=I", info, offset)[0])

    if not number(_PIECES_SENT):
        return True
    sent, received = number(_LAST_SENT), number(_LAST_RECEIVED)
    return min(sent, received) < _DOUBT or received < sent


def _in_tables(ports: frozenset[int]) -> Iterator[int]:
    states = {f"{state:02X}" for state in _OPEN}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for words in _rows(table, 10):
            if words[3] in states and int(words[1].rpartition(":")[2], 16) in ports:
                yield int(words[9])


def _of_files(paths: frozenset[str]) -> Iterator[int]:
    for words in _rows("/proc/net/unix", 7):
        if len(words) > 7 and words[5] == _CONNECTED and words[7] in paths:
            yield int(words[6])


def _rows(table: str, splits: int) -> Iterator[list[str]]:
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as rows:
            next(rows, None)
            for row in rows:
                yield row.rstrip("\n").split(None, splits)
    except FileNotFoundError:
        return
