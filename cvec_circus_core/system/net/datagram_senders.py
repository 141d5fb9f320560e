"""Who sent a UDP datagram on this machine: asked of the kernel, by the port it came from.

A datagram carries no name of its sender, but the socket that it came from still stands in the
kernel's table, with its user, while the sender keeps it open. Of one that was closed meanwhile
nothing can be told, and nothing is believed. The question costs some microseconds by netlink; where
that is not to be had, the tables in /proc are read.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

import psutil

from cvec_circus_core.system.accounts import unmapped_uid
from cvec_circus_core.system.net.netlink import SockDiag
from cvec_circus_core.system.proc import HAS_PROC, net_rows

CAN_TELL_SENDERS = HAS_PROC
"""Whether this system tells who has sent a datagram."""

Address = tuple[str, int]
"""Host and port, as sockets give them."""

Host = IPv4Address | IPv6Address


class DatagramSenders:
    """Tells who owns the sockets that datagrams come from."""

    def __init__(self) -> None:
        self._unmapped = unmapped_uid()
        self._netlink = _netlink()
        if self._netlink is not None and not self._is_proven(self._netlink):
            self.close()

    def owner(self, sender: Address, receiver: Address) -> int | None:
        """Return the uid of a sender, or None where the kernel does not tell one."""
        here, there = _plain(sender[0]), _plain(receiver[0])
        if not _is_ours(here):
            return None
        if there.is_unspecified or there.version != here.version:
            there = here
        uids = set(self._owners((here, sender[1]), (there, receiver[1])))
        uid = uids.pop() if len(uids) == 1 else None
        return None if uid == self._unmapped else uid

    def close(self) -> None:
        """Ask by netlink no more."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _owners(self, sender: tuple[Host, int], receiver: tuple[Host, int]) -> Iterator[int]:
        if self._netlink is None:
            yield from _owners_in_tables(sender[1])
            return
        try:
            uid = _ask(self._netlink, sender, receiver)
        except OSError:
            return
        if uid is not None:
            yield uid

    def _is_proven(self, netlink: SockDiag) -> bool:
        """Ask about a socket of ours: a kernel without the table says that there is none."""
        loopback = ip_address("127.0.0.1")
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                own.bind((str(loopback), 0))
                end = (loopback, own.getsockname()[1])
                return _ask(netlink, end, (loopback, 1)) is not None
        except OSError:
            return False


def process_owners(pid: int) -> frozenset[int]:
    """Return the real and the effective user of a process; none if it is gone."""
    try:
        uids = psutil.Process(pid).uids()
    except psutil.Error:
        return frozenset()
    return frozenset({uids.real, uids.effective})


def _netlink() -> SockDiag | None:
    try:
        return SockDiag()
    except (OSError, AttributeError):
        return None


def _ask(netlink: SockDiag, sender: tuple[Host, int], receiver: tuple[Host, int]) -> int | None:
    """Return the uid of the socket that an answer to the sender would reach. Raises OSError."""
    here, there = sender[0].packed, receiver[0].packed
    family = socket.AF_INET if sender[0].version == 4 else socket.AF_INET6
    owner = netlink.udp_socket(family, (here, sender[1]), (there, receiver[1]))
    # An inode of 0 is a socket that no process has any more; its user reads as root.
    return owner.uid if owner and owner.here_port == sender[1] and owner.inode else None


def _owners_in_tables(port: int) -> Iterator[int]:
    """Yield the owners of all sockets that may be meant."""
    ending = b":%04X" % port
    for table in ("udp", "udp6"):
        for words in net_rows(table, 10):
            if len(words) > 9 and words[1].endswith(ending) and words[9] != b"0":
                yield int(words[7])


def _plain(host: str) -> Host:
    address = ip_address(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_ours(address: Host) -> bool:
    """Tell whether an address is one of this machine's."""
    if address.is_loopback:
        return True
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return not address.is_unspecified and not address.is_multicast
