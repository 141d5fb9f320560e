"""Who owns the other end of a TCP connection on this machine: asked of the kernel, by address.

A netlink question costs some microseconds however many connections there are. Where netlink is not
to be had, the tables in /proc are read, which takes time with their length. Only an established
connection tells its user: of one that its process has closed, the tables say root.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from cvec_circus_core.system.net.netlink import ESTABLISHED, SockDiag
from cvec_circus_core.system.proc import net_rows


class Ends(NamedTuple):
    """The two ends of a connection, as its other side sees them: packed address and port each."""

    family: int
    here: bytes
    here_port: int
    there: bytes
    there_port: int


class Diag:
    """Asks by netlink, or reads /proc from the first time on that netlink is refused."""

    def __init__(self) -> None:
        self._is_proven = False
        try:
            self._netlink: SockDiag | None = SockDiag()
        except OSError:
            self._netlink = None

    def owner(self, ends: Ends) -> int | None:
        """Return the uid of the socket whose own end is ``here``, or None where it is not told."""
        if self._netlink is not None:
            try:
                uid = _ask(self._netlink, ends)
                if uid is not None or self._is_believable(self._netlink):
                    return uid
            except OSError:
                pass
            self.close()
        return owner_in_tables(ends)

    def close(self) -> None:
        """Ask by netlink no more."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _is_believable(self, netlink: SockDiag) -> bool:
        """Tell whether "no such connection" can be believed.

        A kernel without the table says the same, so it is asked once about a connection of ours.
        """
        if not self._is_proven:
            with (
                socket.create_server(("127.0.0.1", 0)) as server,
                socket.create_connection(server.getsockname()) as client,
            ):
                own = _loopback(client.getsockname()[1], server.getsockname()[1])
                self._is_proven = _ask(netlink, own) is not None
        return self._is_proven


def _ask(netlink: SockDiag, ends: Ends) -> int | None:
    own_end, other_end = (ends.here, ends.here_port), (ends.there, ends.there_port)
    connection = netlink.connection(ends.family, own_end, other_end)
    if connection is None or connection.state != ESTABLISHED or connection.inode == 0:
        # An inode of 0 is a socket that no process has any more; its user reads as root.
        return None
    ports = (connection.here_port, connection.there_port)
    return connection.uid if ports == (ends.here_port, ends.there_port) else None


def _loopback(here_port: int, there_port: int) -> Ends:
    address = socket.inet_aton("127.0.0.1")
    return Ends(socket.AF_INET, address, here_port, address, there_port)


def owner_in_tables(ends: Ends) -> int | None:
    """Return what /proc/net says of the owner, or None."""
    for table, here, there in _spellings(ends):
        for words in net_rows(table, 10):
            if len(words) > 9 and words[1] == here and words[2] == there:
                is_established = int(words[3], 16) == ESTABLISHED
                return int(words[7]) if is_established and words[9] != b"0" else None
    return None


def _spellings(ends: Ends) -> list[tuple[str, bytes, bytes]]:
    """Return the tables in which a connection may stand, each with its ends as it spells them."""
    own_address, other_address = ends.here, ends.there
    addresses = [("tcp6", own_address, other_address)]
    if ends.family == socket.AF_INET:
        addresses = [
            ("tcp", own_address, other_address),
            ("tcp6", _MAPPED + own_address, _MAPPED + other_address),
        ]
    return [
        (table, _spelled(own, ends.here_port), _spelled(other, ends.there_port))
        for table, own, other in addresses
    ]


def _spelled(address: bytes, port: int) -> bytes:
    """Spell an end as the tables do: words in the byte order of the machine."""
    words = struct.unpack(f"={len(address) // 4}I", address)
    return b"".join(b"%08X" % word for word in words) + b":%04X" % port


_MAPPED = b"\0" * 10 + b"\xff\xff"
"""What stands before an IPv4 address where it is written as an IPv6 one."""
