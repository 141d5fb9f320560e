"""Who listens at an address of this machine, as the kernel says.

A port above 1024 belongs to anybody while a daemon is away. The daemon asks the kernel who calls;
this is the same question, from the caller's side. Little is imported: circusctl asks each time.
"""

from __future__ import annotations

import sys

_LISTENING = b"0A"
_ANY = {4: b"00000000", 16: b"0" * 32}
_MAPPED = bytes(10) + b"\xff\xff"
_LOOPBACK = 127
_SECONDS = 0.5


def listener_uid(endpoint: str) -> int | None:
    """Return the user that listens at an endpoint.

    None where that is not known: nobody listens, it is on another machine, or there is no such
    kernel.
    """
    transport, _, address = endpoint.partition("://")
    if transport == "ipc":
        return _uid_at_path(address)
    host, _, port = address.rpartition(":")
    packed = _loopback_bytes(host.strip("[]"))
    if packed is None or not port.isdecimal():
        return None
    return _uid_at_port(packed, int(port))


def _uid_at_path(path: str) -> int | None:
    import socket  # not needed for a port, and felt in circusctl's start
    import struct

    if not hasattr(socket, "SO_PEERCRED"):
        return None
    credentials = struct.Struct("3i")
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_SECONDS)
            probe.connect(f"\0{path[1:]}" if path.startswith("@") else path)
            raw = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, credentials.size)
    except (OSError, ValueError):
        return None
    uid: int = credentials.unpack(raw)[1]
    return uid


def _loopback_bytes(host: str) -> bytes | None:
    """Return the bytes of a loopback address; None for any other."""
    if host == "::1":
        return bytes(15) + b"\1"
    try:
        packed = bytes(map(int, ("127.0.0.1" if host == "localhost" else host).split(".")))
    except ValueError:
        return None
    return packed if len(packed) == 4 and packed[0] == _LOOPBACK else None


def _uid_at_port(packed: bytes, port: int) -> int | None:
    families = [packed, _MAPPED + packed] if len(packed) == 4 else [packed]
    exact = {_spelled(address) for address in families}
    wildcards = {_ANY[4], _ANY[16]} if len(packed) == 4 else {_ANY[16]}
    suffix = b"%04X" % port
    wildcard_uid = None
    for name in ("tcp", "tcp6"):
        for words in _rows(name):
            address, _, row_port = words[1].partition(b":")
            if row_port != suffix or words[3] != _LISTENING:
                continue
            if address in exact:
                return int(words[7])
            if address in wildcards:
                wildcard_uid = int(words[7])
    return wildcard_uid


def _spelled(packed: bytes) -> bytes:
    """Return an address as the kernel spells it: words of four bytes in the machine's order."""
    numbers = [
        int.from_bytes(packed[start : start + 4], sys.byteorder)
        for start in range(0, len(packed), 4)
    ]
    return b"".join(b"%08X" % number for number in numbers)


def _rows(name: str) -> list[list[bytes]]:
    try:
        with open(f"/proc/net/{name}", "rb") as file:
            return [line.split() for line in file.read().split(b"\n")[1:] if line]
    except OSError:
        return []
