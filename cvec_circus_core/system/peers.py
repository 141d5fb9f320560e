"""Who is at the other end of a connection, told by the kernel.

A descriptor is only a number that may be used again at any moment by whoever else connects. So a
connection is *met*: the descriptor is duplicated, and everything that is asked and done after that
concerns what the duplicate holds on to. Whether the number still meant the same connection when it
was duplicated is for the caller to confirm (`control/door.py`).
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from ipaddress import IPv6Address, ip_address

from cvec_circus_core.model.access import Caller, LocalUser, Stranger
from cvec_circus_core.system.accounts import unmapped_uid
from cvec_circus_core.system.diag import ESTABLISHED, Diag, Ends

CAN_TELL = sys.platform.startswith("linux")
"""Whether this system tells who is at the other end at all."""

_CREDENTIALS = struct.Struct("=iII")
_CLOSED = Stranger("the connection was closed too soon")
_ELSEWHERE = Stranger("the connection does not come from this machine")
_NOBODY_HERE = Stranger("the user is not one of this container")


class Meeting:
    """One connection, held on to until it is clear what becomes of it."""

    __slots__ = ("_socket", "caller", "place")

    def __init__(
        self, held: socket.socket | None, caller: Caller, place: tuple[str, int] | None = None
    ) -> None:
        self._socket = held
        self.caller = caller
        self.place = place
        """Address and port of our own end, of a TCP connection."""

    def turn_away(self) -> None:
        """End the connection, for both sides, whoever else holds it."""
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It is gone already.
        self.close()

    def close(self) -> None:
        """Hold on to it no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class Peers:
    """Tells who is at the other end of descriptors."""

    def __init__(self) -> None:
        self._diag = Diag()
        self._unmapped = unmapped_uid()

    def meet(self, fd: int) -> Meeting:
        """Hold on to the connection that a descriptor is now, and tell who is there."""
        try:
            held = _held(fd)
        except OSError:
            return Meeting(None, _CLOSED)
        try:
            caller = self._caller(held)
        except OSError:
            caller = _CLOSED
        return Meeting(held, caller, _place(held))

    def close(self) -> None:
        """Ask nobody any more."""
        self._diag.close()

    def _caller(self, held: socket.socket) -> Caller:
        if held.family == socket.AF_UNIX:
            said = held.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _ = _CREDENTIALS.unpack(said)
            return self.user(uid, pid)
        if held.family not in (socket.AF_INET, socket.AF_INET6):
            return _ELSEWHERE
        ends = _ends(held)
        uid = self._diag.owner(ends)
        # Looked at last: while our side is established, no other connection has these two ends.
        if held.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0] != ESTABLISHED:
            return _CLOSED
        if uid is None:
            return _CLOSED if _is_loopback(ends) else _ELSEWHERE
        return self.user(uid)

    def user(self, uid: int, pid: int = 0) -> Caller:
        """Return the caller with this number, as far as the number says anything."""
        if uid == self._unmapped:
            return _NOBODY_HERE
        return LocalUser(uid, pid if pid > 0 else None)


def _held(fd: int) -> socket.socket:
    copy = os.dup(fd)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        # The number means something else by now, no socket at all.
        os.close(copy)
        raise


def _ends(held: socket.socket) -> Ends:
    """Return the ends of a connection as its other side sees them."""
    there, there_port = _address(held.getsockname())
    here, here_port = _address(held.getpeername())
    if held.family == socket.AF_INET:
        return Ends(socket.AF_INET, here, here_port, there, there_port)
    plain = IPv6Address(here).ipv4_mapped, IPv6Address(there).ipv4_mapped
    if plain[0] is not None and plain[1] is not None:
        return Ends(socket.AF_INET, plain[0].packed, here_port, plain[1].packed, there_port)
    return Ends(socket.AF_INET6, here, here_port, there, there_port)


def _address(name: tuple[str, int]) -> tuple[bytes, int]:
    host, port = name[0].partition("%")[0], name[1]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_pton(family, host), port


def _place(held: socket.socket) -> tuple[str, int] | None:
    if held.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        host, port = held.getsockname()[:2]
    except OSError:
        return None
    return plain_host(host), port


def plain_host(host: str) -> str:
    """Return an address in the one form in which two of them are compared."""
    host = host.strip("[]").partition("%")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _is_loopback(ends: Ends) -> bool:
    if ends.family == socket.AF_INET:
        return ends.here[0] == 127
    return ends.here == socket.inet_pton(socket.AF_INET6, "::1")
