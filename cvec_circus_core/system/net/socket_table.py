"""What listening sockets do, from the kernel's tables in /proc/net.

Of a listening TCP socket the kernel tells how many connections wait to be accepted, and every
connection stands in the same table with the address it came to. A connection that is closed stays
there for a while where this side closed it first, so that most short ones are seen, too. A Unix
socket's connections carry its path; those that nobody has accepted yet are "connecting". Where
there is no /proc/net nothing is known.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cvec_circus_core.system.proc import net_rows

_LISTENING = b"0A"
_ESTABLISHED = b"01"
_BEGINNING = (b"02", b"03", b"0C")
"""Connections that are no conversation yet: SYN_SENT, SYN_RECV, NEW_SYN_RECV."""
_UNIX_CONNECTING, _UNIX_CONNECTED = b"02", b"03"
_UNIX_LISTENING = 0x10000
"""The flag __SO_ACCEPTCON."""

Address = str | tuple[str, int]
"""A path, or an IP address and a port."""


@dataclass(slots=True)
class SocketLoad:
    """What was found of one address."""

    is_listening: bool = False
    queued: int = 0
    """Connections that nobody has accepted yet."""
    connections: int = 0
    """Connections that are open."""
    queued_bytes: int = 0
    """Of a datagram socket, what nobody has read yet."""
    seen: set[bytes] = field(default_factory=set)
    """A name for every connection that there is or was a short time ago."""


def read_sockets(addresses: Iterable[Address]) -> Mapping[Address, SocketLoad]:
    """Look at all addresses, each table being read once; those not in use are left out."""
    asked_addresses = set(addresses)
    loads: dict[Address, SocketLoad] = {}
    paths = {address.encode(): address for address in asked_addresses if isinstance(address, str)}
    if paths:
        _read_unix(paths, loads)
    ports = _by_port(address for address in asked_addresses if isinstance(address, tuple))
    if ports:
        for name in ("tcp", "tcp6"):
            for words in net_rows(name, 7):
                _add_tcp(words, ports, loads)
        for name in ("udp", "udp6"):
            for words in net_rows(name, 7):
                _add_udp(words, ports, loads)
    return {address: load for address, load in loads.items() if load.is_listening}


def _by_port(addresses: Iterable[tuple[str, int]]) -> dict[bytes, list[tuple[bytes, Address]]]:
    """Return the kernel's spelling of addresses, by its spelling of ports."""
    by_port: dict[bytes, list[tuple[bytes, Address]]] = {}
    for host, port in addresses:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            packed = socket.inet_pton(family, host)
        except OSError:
            continue  # a name, which is no address that anything is bound to
        words = struct.unpack(f"={len(packed) // 4}I", packed)
        spelled = b"".join(b"%08X" % word for word in words)
        by_port.setdefault(b"%04X" % port, []).append((spelled, (host, port)))
    return by_port


def _add_tcp(
    words: list[bytes],
    ports: Mapping[bytes, list[tuple[bytes, Address]]],
    loads: dict[Address, SocketLoad],
) -> None:
    _, local, remote, state, queues, *_ = words
    host, _, port = local.partition(b":")
    for spelled, address in ports.get(port, ()):
        if state == _LISTENING:
            if host == spelled:
                load = loads.setdefault(address, SocketLoad())
                load.is_listening = True
                load.queued += int(queues.partition(b":")[2], 16)
        elif state not in _BEGINNING and _reaches(host, spelled):
            load = loads.setdefault(address, SocketLoad())
            load.connections += state == _ESTABLISHED
            load.seen.add(remote)


def _add_udp(
    words: list[bytes],
    ports: Mapping[bytes, list[tuple[bytes, Address]]],
    loads: dict[Address, SocketLoad],
) -> None:
    host, _, port = words[1].partition(b":")
    for spelled, address in ports.get(port, ()):
        if host == spelled and (address not in loads or not loads[address].is_listening):
            load = loads[address] = SocketLoad(is_listening=True)
            load.queued_bytes = int(words[4].partition(b":")[2], 16)


def _reaches(host: bytes, listener: bytes) -> bool:
    """Tell whether a connection to ``host`` is one to the listener: itself, or any address."""
    return host == listener or not listener.strip(b"0")


def _read_unix(paths: Mapping[bytes, str], loads: dict[Address, SocketLoad]) -> None:
    for words in net_rows("unix", 7):
        if len(words) < 8 or (path := words[7]) not in paths:
            continue
        load = loads.setdefault(paths[path], SocketLoad())
        flags, state, inode = int(words[3], 16), words[5], words[6]
        if flags & _UNIX_LISTENING:
            load.is_listening = True
        elif state == _UNIX_CONNECTING:
            load.queued += 1
        elif state == _UNIX_CONNECTED:
            load.connections += 1
            load.seen.add(inode)
