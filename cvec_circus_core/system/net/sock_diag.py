"""Who owns the other end of a TCP connection on this machine: asked of the kernel, by address.

A netlink question costs some microseconds however many connections there are. Where netlink is not
to be had, the tables in /proc are read, which takes time with their length. Only an established
connection tells its user: of one that its process has closed, the tables say root.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass

ESTABLISHED = 1

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = 1
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI2s2s16s16sIII")
_ANSWER = struct.Struct("=BBBB2s2s16s16sIIIIIIII")
_NO_COOKIE = 0xFFFFFFFF
_ERROR = 2


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a connection, as its other side sees them: packed address and port each."""

    family: int
    here: bytes
    here_port: int
    there: bytes
    there_port: int


class NoNetlink(OSError):
    """The kernel can not be asked this way."""


class Diag:
    """Asks by netlink, or reads /proc from the first time on that netlink is refused."""

    def __init__(self) -> None:
        self._number = 0
        self._proven = False
        try:
            self._netlink: socket.socket | None = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG
            )
            self._netlink.settimeout(1.0)
        except OSError:
            self._netlink = None

    def owner(self, ends: Ends) -> int | None:
        """Return the uid of the socket whose own end is ``here``, or None where it is not told."""
        if self._netlink is not None:
            try:
                found = self._asked(self._netlink, ends)
                if found is not None or self._is_proven():
                    return found
            except OSError:
                pass
            self.close()
        return owner_in_tables(ends)

    def close(self) -> None:
        """Ask by netlink no more."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _is_proven(self) -> bool:
        """Tell whether "no such connection" can be believed.

        A kernel without the table says the same, so it is asked once about a connection of ours.
        """
        if not self._proven:
            with (
                socket.create_server(("127.0.0.1", 0)) as server,
                socket.create_connection(server.getsockname()) as one,
            ):
                own = _loopback(one.getsockname()[1], server.getsockname()[1])
                self._proven = (
                    self._netlink is not None and self._asked(self._netlink, own) is not None
                )
        return self._proven

    def _asked(self, netlink: socket.socket, ends: Ends) -> int | None:
        self._number = (self._number + 1) & 0xFFFFFFFF
        netlink.send(_question(ends, self._number))
        while True:
            said = netlink.recv(4096)
            _, kind, _, number, _ = _HEADER.unpack_from(said)
            if number == self._number:
                return _answer(said, kind, ends)


def _loopback(here_port: int, there_port: int) -> Ends:
    address = socket.inet_aton("127.0.0.1")
    return Ends(socket.AF_INET, address, here_port, address, there_port)


def _question(ends: Ends, number: int) -> bytes:
    body = _QUESTION.pack(
        ends.family,
        socket.IPPROTO_TCP,
        0,
        1 << ESTABLISHED,
        ends.here_port.to_bytes(2, "big"),
        ends.there_port.to_bytes(2, "big"),
        ends.here,
        ends.there,
        0,
        _NO_COOKIE,
        _NO_COOKIE,
    )
    return _HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, number, 0) + body


def _answer(said: bytes, kind: int, ends: Ends) -> int | None:
    if kind == _ERROR:
        code = -struct.unpack_from("=i", said, _HEADER.size)[0]
        if code in _NOT_THERE:
            return None
        raise NoNetlink(code, os.strerror(code))
    if kind != _BY_FAMILY or len(said) < _HEADER.size + _ANSWER.size:
        raise NoNetlink(0, "an answer of another kind")
    found = _ANSWER.unpack_from(said, _HEADER.size)
    state, here_port, there_port, uid, inode = found[1], found[4], found[5], found[14], found[15]
    same = (
        int.from_bytes(here_port, "big") == ends.here_port
        and int.from_bytes(there_port, "big") == ends.there_port
    )
    # An inode of 0 is a socket that no process has any more; its user reads as root.
    return int(uid) if same and state == ESTABLISHED and inode != 0 else None


def owner_in_tables(ends: Ends) -> int | None:
    """Return what /proc/net says of the owner, or None."""
    for table, here, there in _wanted(ends):
        try:
            with open(table, encoding="ascii") as rows:
                next(rows, None)
                for row in rows:
                    words = row.split(None, 10)
                    if words[1] == here and words[2] == there:
                        established = int(words[3], 16) == ESTABLISHED
                        return int(words[7]) if established and words[9] != "0" else None
        except (OSError, ValueError, IndexError):
            continue
    return None


def _wanted(ends: Ends) -> list[tuple[str, str, str]]:
    here, there = ends.here, ends.there
    found = []
    if ends.family == socket.AF_INET:
        found.append(("/proc/net/tcp", here, there))
        here, there = _MAPPED + here, _MAPPED + there
    found.append(("/proc/net/tcp6", here, there))
    return [
        (table, _written(here, ends.here_port), _written(there, ends.there_port))
        for table, here, there in found
    ]


def _written(address: bytes, port: int) -> str:
    """Spell an end as the tables do: words in the byte order of the machine."""
    words = (address[at : at + 4] for at in range(0, len(address), 4))
    return "".join(f"{struct.unpack('=I', word)[0]:08X}" for word in words) + f":{port:04X}"


_MAPPED = b"\0" * 10 + b"\xff\xff"
"""What stands before an IPv4 address where it is written as an IPv6 one."""

_NOT_THERE = frozenset({errno.ENOENT, errno.ECONNREFUSED})
"""ENOENT and ECONNREFUSED: no such connection."""
