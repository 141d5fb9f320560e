"""Who is at the other end of a connection, told by the kernel.

A descriptor is only a number that may be used again at any moment by anyone else who connects. So a
connection is *met*: the descriptor is duplicated, and everything that is asked and done after that
concerns what the duplicate holds on to. Whether the number still meant the same connection when it
was duplicated is for the caller to confirm (`control/peers/authenticator.py`).
"""

from __future__ import annotations

import os
import resource
import select
import socket
import struct
import sys
from ipaddress import IPv6Address, ip_address

from cvec_circus_core.model.access import LocalUser, PeerIdentity, Stranger
from cvec_circus_core.system.accounts import unmapped_uid
from cvec_circus_core.system.net.netlink import ESTABLISHED
from cvec_circus_core.system.net.sock_diag import Diag, Ends
from cvec_circus_core.system.processes.descriptors import nofile

CAN_TELL = sys.platform.startswith("linux")
"""Whether this system tells who is at the other end at all."""

_CREDENTIALS = struct.Struct("=iII")
_RECEIVED = struct.Struct("=Q")
_RECEIVED_AT = 128
"""Where tcp_info tells the bytes that have come (tcpi_bytes_received, Linux 4.1)."""
_INFO_SIZE = 232
_ALLOWED = 2 << 20
_ALLOWED_TO_GROW = 64 << 20
"""Bytes; the largest message that libzmq lets in has one million."""
_CLOSED = Stranger("the connection was closed too soon")
_ELSEWHERE = Stranger("the connection does not come from this machine")
_NOBODY_HERE = Stranger("the user is not one of this container")


class Meeting:
    """One connection, held on to until it is clear what becomes of it."""

    __slots__ = ("_socket", "caller", "place")

    def __init__(
        self, held: socket.socket | None, caller: PeerIdentity, place: tuple[str, int] | None = None
    ) -> None:
        self._socket = held
        self.caller = caller
        self.place = place
        """Address and port of our own end, of a TCP connection."""

    @property
    def is_held(self) -> bool:
        """Whether there is a connection at all."""
        return self._socket is not None

    @property
    def counts_for_itself(self) -> bool:
        """Whether the kernel counts what comes over this very connection (TCP)."""
        return self.place is not None

    @property
    def allowance(self) -> int:
        """How much `received` may grow while one message comes, of somebody with limits."""
        return _ALLOWED if self.counts_for_itself else _ALLOWED_TO_GROW

    @property
    def origin(self) -> str:
        """The address of the other end, of a TCP connection."""
        if self._socket is None or not self.counts_for_itself:
            return ""
        try:
            return plain_host(self._socket.getpeername()[0])
        except OSError:
            return ""

    def fileno(self) -> int:
        """Return the descriptor by which it is held, or -1."""
        return -1 if self._socket is None else self._socket.fileno()

    def received(self) -> int:
        """Return the bytes that have come over it.

        Nobody counts those of a Unix socket; for one, it is the bytes of memory that we have.
        """
        if self._socket is None:
            return 0
        if not self.counts_for_itself:
            return _memory()
        try:
            info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
        except OSError:
            return 0
        if len(info) < _RECEIVED.size + _RECEIVED_AT:
            return 0  # a kernel that does not count
        return int(_RECEIVED.unpack_from(info, _RECEIVED_AT)[0])

    def is_readable(self) -> bool:
        """Tell whether something has come that libzmq has not taken yet."""
        if self._socket is None:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def turn_away(self) -> None:
        """End the connection, for both sides, no matter who else holds it."""
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
        """Hold on to the connection that a descriptor is now, and tell who is there.

        One that has taken one of our last descriptors is ended.
        """
        if nofile.is_last(fd):
            _end(fd)
            return Meeting(None, _CLOSED)
        try:
            connection = _held(fd)
        except OSError:
            return Meeting(None, _CLOSED)
        try:
            caller = self._caller(connection)
        except OSError:
            caller = _CLOSED
        return Meeting(connection, caller, _place(connection))

    def close(self) -> None:
        """Ask nobody any more."""
        self._diag.close()

    def _caller(self, held: socket.socket) -> PeerIdentity:
        if held.family == socket.AF_UNIX:
            credentials = held.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _ = _CREDENTIALS.unpack(credentials)
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

    def user(self, uid: int, pid: int = 0) -> PeerIdentity:
        """Return the caller with this number, as far as the number says anything."""
        if uid == self._unmapped:
            return _NOBODY_HERE
        return LocalUser(uid, pid if pid > 0 else None)


def _memory() -> int:
    with open("/proc/self/statm", "rb", buffering=0) as file:
        return int(file.read(128).split()[1]) * resource.getpagesize()


def _end(fd: int) -> None:
    """End a connection without a descriptor of our own for it."""
    try:
        connection = socket.socket(fileno=fd)
    except OSError:
        return  # It is no socket any more.
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # It is gone already.
    finally:
        connection.detach()


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
