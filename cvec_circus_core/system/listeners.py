"""Who listens at an address of this machine, as the kernel says.

A port above 1024 belongs to anybody while a daemon is away. The daemon asks the kernel who calls;
this is the same question, from the caller's side: nothing is sent, and nothing is believed, where
another user listens, who could be in a daemon's place. Of other machines, and through ssh, nothing
is known. Little is imported: circusctl asks each time.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cvec_circus_core.model.errors import CallError
from cvec_circus_core.system.deadline import Deadline
from cvec_circus_core.system.proc import net_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

ANYBODY = "*"
_HOLDS = 0.1
"""Seconds for which an answer of the kernel's holds; libzmq connects anew no sooner."""
_LISTENING = b"0A"
_ANY = {4: b"00000000", 16: b"0" * 32}
_MAPPED = bytes(10) + b"\xff\xff"
_LOOPBACK = 127
_SECONDS = 0.5


class ListenerCheck:
    """Asks who listens at an endpoint, each time that it is called. Raises `CallError`.

    ``trust_user`` names users, or `ANYBODY`, who may listen beside root and the caller.
    """

    def __init__(self, endpoint: str, trust_user: str | Sequence[str]) -> None:
        self._endpoint = endpoint
        self._users = (trust_user,) if isinstance(trust_user, str) else tuple(trust_user)
        self._holds = Deadline(0.0)

    def __call__(self) -> None:
        """Look, unless that has just been done."""
        if ANYBODY in self._users or self._holds.left():
            return
        check_listener(self._endpoint, self._users, "trust_user=")
        self._holds = Deadline(_HOLDS)


def check_listener(endpoint: str, trusted_users: Sequence[str], option: str) -> None:
    """Raise `CallError` where another user of this machine listens.

    ``option`` is how the caller may say that they trust that user.
    """
    uid = listener_uid(endpoint)
    if uid is None or uid in (0, os.geteuid()):
        return
    name = _name_of(uid)
    if name in trusted_users or str(uid) in trusted_users:
        return
    hint = f"{option}{name!r}" if option.endswith("=") else f"{option} {name}"
    raise CallError(
        f"user {name} listens at {endpoint}, who is neither root nor you: nothing was sent; "
        f"{hint} trusts them"
    )


def _name_of(uid: int) -> str:
    from pwd import getpwuid  # needed by nobody who is let in

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


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
        for words in net_rows(name):
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
