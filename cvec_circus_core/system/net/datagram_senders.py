"""Who sent a UDP datagram on this machine: asked of the kernel, by the port it came from.

A datagram carries no name of its sender, but the socket that it came from still stands in the
kernel's table, with its user, while the sender keeps it open. Of one that was closed meanwhile
nothing can be told, and nothing is believed. The question costs some microseconds by netlink; where
that is not to be had, the tables in /proc are read.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

import psutil

from cvec_circus_core.system.accounts import unmapped_uid

CAN_TELL_SENDERS = sys.platform.startswith("linux")
"""Whether this system tells who has sent a datagram."""

Address = tuple[str, int]
"""Host and port, as sockets give them."""

Host = IPv4Address | IPv6Address

_SOCK_DIAG = 4
_BY_FAMILY = 20
_REQUEST = 1
_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI2s2s16s16sIII")
_ANSWER = struct.Struct("=BBBB2s2s16s16sIIIIIIII")
_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF


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

    def _is_proven(self, netlink: socket.socket) -> bool:
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


def _netlink() -> socket.socket | None:
    try:
        netlink = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG
        )
    except (OSError, AttributeError):
        return None
    netlink.settimeout(1.0)
    return netlink


def _ask(
    netlink: socket.socket, sender: tuple[Host, int], receiver: tuple[Host, int]
) -> int | None:
    """Return the uid of the socket that an answer to the sender would reach. Raises OSError."""
    here, here_port = sender
    there, there_port = receiver
    body = _QUESTION.pack(
        socket.AF_INET if here.version == 4 else socket.AF_INET6,
        socket.IPPROTO_UDP,
        0,
        _ALL_STATES,
        there_port.to_bytes(2, "big"),
        here_port.to_bytes(2, "big"),
        there.packed,
        here.packed,
        0,
        _NO_COOKIE,
        _NO_COOKIE,
    )
    netlink.send(_HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 1, 0) + body)
    reply = netlink.recv(4096)
    kind = _HEADER.unpack_from(reply)[1]
    if kind == _ERROR:
        code = -struct.unpack_from("=i", reply, _HEADER.size)[0]
        if code == errno.ENOENT:
            return None
        raise OSError(code, os.strerror(code))
    answer = _ANSWER.unpack_from(reply, _HEADER.size)
    port, uid, inode = int.from_bytes(answer[4], "big"), answer[14], answer[15]
    # An inode of 0 is a socket that no process has any more; its user reads as root.
    return int(uid) if port == here_port and inode != 0 else None


def _owners_in_tables(port: int) -> Iterator[int]:
    """Yield the owners of all sockets that may be meant."""
    ending = f":{port:04X}"
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        try:
            with open(table, encoding="ascii") as rows:
                next(rows, None)
                for row in rows:
                    words = row.split(None, 10)
                    if words[1].endswith(ending) and words[9] != "0":
                        yield int(words[7])
        except (OSError, ValueError, IndexError):
            continue


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
