"""Asking the kernel for TCP connections and UDP sockets, by netlink (sock_diag(7)).

A question takes some microseconds however many connections there are. It is about one connection,
or about all of one port of ours.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

ESTABLISHED = 1
TCP_INFO = 2
"""The attribute that tells the times and counts of a connection (tcp_info)."""

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST, _DUMP = 1, 0x301
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI2s2s16s16sIII")
_ANSWER = struct.Struct("=BBBB2s2s16s16sIIIIIIII")
_ATTRIBUTE = struct.Struct("=HH")
_ALL_STATES = tuple(range(32))
_NO_COOKIE = 0xFFFFFFFF
_NOT_THERE = frozenset({errno.ENOENT, errno.ECONNREFUSED})
_LARGEST = 1 << 16
_SECONDS = 1.0


class NoNetlink(OSError):
    """The kernel can not be asked this way."""


class NetlinkConnection(NamedTuple):
    """What the kernel tells of one connection; an inode of 0 is one that nobody has any more."""

    state: int
    here_port: int
    there_port: int
    uid: int
    inode: int
    attributes: bytes

    def attribute(self, kind: int) -> bytes:
        """Return one of the attributes; empty where it is not told."""
        at = 0
        while at + _ATTRIBUTE.size <= len(self.attributes):
            size, this_kind = _ATTRIBUTE.unpack_from(self.attributes, at)
            if this_kind == kind:
                return self.attributes[at + _ATTRIBUTE.size : at + size]
            at += max(size, _ATTRIBUTE.size) + 3 & ~3
        return b""


class SockDiag:
    """A netlink socket for questions about connections."""

    def __init__(self) -> None:
        """Open it. Raises OSError."""
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, _SOCK_DIAG)
        self._socket.settimeout(_SECONDS)
        self._serial = 0

    def __enter__(self) -> SockDiag:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ask no more."""
        self._socket.close()

    def connection(
        self, family: int, here: tuple[bytes, int], there: tuple[bytes, int]
    ) -> NetlinkConnection | None:
        """Return an established connection by its ends, packed address and port each.

        None where there is none. Raises OSError.
        """
        ports = here[1].to_bytes(2, "big"), there[1].to_bytes(2, "big")
        ends = (*ports, here[0], there[0])
        self._ask(family, _REQUEST, 0, (ESTABLISHED,), ends)
        return next(self._answers(), None)

    def udp_socket(
        self, family: int, here: tuple[bytes, int], there: tuple[bytes, int]
    ) -> NetlinkConnection | None:
        """Return the UDP socket that a datagram from ``there`` to ``here`` reaches.

        None where there is none. Raises OSError.
        """
        # For UDP the kernel takes the ends the other way round.
        ports = there[1].to_bytes(2, "big"), here[1].to_bytes(2, "big")
        ends = (*ports, there[0], here[0])
        self._ask(family, _REQUEST, 0, _ALL_STATES, ends, socket.IPPROTO_UDP)
        return next(self._answers(), None)

    def connections(
        self, family: int, port: int, states: tuple[int, ...], attribute: int
    ) -> Iterator[NetlinkConnection]:
        """Yield all connections of a port of ours in some states, with an attribute of theirs.

        Raises OSError.
        """
        ends = (port.to_bytes(2, "big"), b"", b"", b"")
        self._ask(family, _DUMP, 1 << attribute - 1, states, ends)
        yield from self._answers(is_dump=True)

    def _ask(
        self,
        family: int,
        flags: int,
        attributes: int,
        states: tuple[int, ...],
        ends: tuple[bytes, bytes, bytes, bytes],
        protocol: int = socket.IPPROTO_TCP,
    ) -> None:
        self._serial = (self._serial + 1) & 0xFFFFFFFF
        mask = sum(1 << state for state in states)
        question = _QUESTION.pack(
            family, protocol, attributes, mask, *ends, 0, _NO_COOKIE, _NO_COOKIE
        )
        size = _HEADER.size + len(question)
        self._socket.send(_HEADER.pack(size, _BY_FAMILY, flags, self._serial, 0) + question)

    def _answers(self, *, is_dump: bool = False) -> Iterator[NetlinkConnection]:
        while True:
            data, at = self._socket.recv(_LARGEST), 0
            while at < len(data):
                size, kind, _, serial, _ = _HEADER.unpack_from(data, at)
                body = data[at + _HEADER.size : at + size]
                at += size + 3 & ~3
                if serial != self._serial:
                    continue
                if kind == _DONE or (kind == _ERROR and _is_absent(body)):
                    return
                yield _connection(kind, body)
                if not is_dump:
                    return


def _is_absent(body: bytes) -> bool:
    """Tell whether an error says that there is no such connection. Raises `NoNetlink`."""
    code = -struct.unpack_from("=i", body)[0]
    if code in _NOT_THERE:
        return True
    raise NoNetlink(code, os.strerror(code))


def _connection(kind: int, body: bytes) -> NetlinkConnection:
    if kind != _BY_FAMILY or len(body) < _ANSWER.size:
        raise NoNetlink(0, "an answer of another kind")
    _, state, _, _, here_port, there_port, *_, uid, inode = _ANSWER.unpack_from(body)
    return NetlinkConnection(
        state,
        int.from_bytes(here_port, "big"),
        int.from_bytes(there_port, "big"),
        uid,
        inode,
        body[_ANSWER.size :],
    )
