"""The connections of one endpoint: which of them a descriptor meant at which moment, and who it is.

libzmq tells the descriptor of a connection, but one that was closed may belong to another caller by
the time a message is looked at. So connections are numbered as they are accepted, and handshakes by
the same count (`authenticator.py`); libzmq attaches the number of the handshake to every later
message:

    accepted 7 (fd 9)   handshake 8   message (8, fd 9)   closed (fd 9)   accepted 11 (fd 9) …

A message of handshake n is from the last connection on its descriptor that was accepted before n:
that one was open then, or it could not have shaken hands. What was accepted and closed is learnt
from libzmq's monitor, whose news are all read before a handshake is answered. What the kernel says
about a descriptor is believed only if no news of it came while the kernel was asked: libzmq tells
that a connection is gone before it closes the descriptor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from cvec_circus_core.control.peers.quotas import LimitedConnection
from cvec_circus_core.control.peers.socket_monitor import News
from cvec_circus_core.model.access import PeerIdentity, Stranger
from cvec_circus_core.system.net.peers import Meeting

_GONE = Stranger("the connection was closed too soon")
_NOT_KNOWN = Stranger("the connection is not known")

OnMet = Callable[[PeerIdentity, Meeting], LimitedConnection | None]
"""Decides what becomes of a connection once it is known whose it is; returns what is held."""


class Connection:
    """One accepted connection, and the one that had its descriptor before."""

    __slots__ = ("before", "fd", "held", "identity", "is_open", "number")

    def __init__(self, fd: int, number: int, before: Connection | None) -> None:
        self.fd = fd
        self.number = number
        self.identity: PeerIdentity = _GONE
        self.is_open = True
        self.held: LimitedConnection | None = None
        self.before = before
        if before is not None:
            before.before = None  # A message from before that is from a stranger.
            before.close()

    def close(self) -> None:
        """Be told that it is gone."""
        self.is_open = False
        if self.held is not None:
            self.held.close()
            self.held = None


class Meets(Protocol):
    """What knows who is at the other end of a descriptor; see `Peers`."""

    def meet(self, fd: int) -> Meeting:
        """Hold on to the connection that a descriptor is now, and tell who is there."""


class Connections:
    """Follows the connections of a socket by their news. ``read`` returns all since the last."""

    def __init__(self, read: Callable[[], Iterable[News]], peers: Meets, on_met: OnMet) -> None:
        self._read = read
        self._peers = peers
        self._on_met = on_met
        self._count = 0
        self._by_fd: dict[int, Connection] = {}

    def next_number(self) -> int:
        """Return the number of a handshake, after everything that went before it."""
        self.look()
        self._count += 1
        return self._count

    def identity(self, fd: int, handshake: int) -> PeerIdentity:
        """Return whose messages come over a descriptor after a handshake."""
        connection = self._connection(fd, handshake)
        return _NOT_KNOWN if connection is None else connection.identity

    def is_of(self, fd: int, handshake: int, identity: PeerIdentity) -> LimitedConnection | None:
        """Remember who has proven in a handshake to own a connection; return what is held."""
        connection = self._connection(fd, handshake)
        if connection is None:
            return None
        connection.identity = identity
        return connection.held

    def heard(self, fd: int, handshake: int) -> None:
        """Be told that a whole message has come over a connection."""
        connection = self._connection(fd, handshake)
        if connection is not None and connection.held is not None:
            connection.held.heard = True

    def let_go(self, fd: int, handshake: int) -> None:
        """Hold a connection no more: its user may do everything."""
        connection = self._connection(fd, handshake)
        if connection is not None and connection.held is not None:
            connection.held.close()
            connection.held = None

    def look(self) -> None:
        """Read all news, and meet those who have come."""
        met: dict[int, Meeting] = {}
        while True:
            opened, disturbed = self._read_all()
            for fd in disturbed & met.keys():
                met.pop(fd).close()
            for fd, meeting in met.items():
                # No news of it since the kernel was asked: this is who it said.
                connection = self._by_fd[fd]
                connection.identity = meeting.caller
                connection.held = self._on_met(meeting.caller, meeting)
            if not disturbed:
                return
            met = {fd: self._peers.meet(fd) for fd in opened}

    def meet_again(self, on_met: OnMet) -> None:
        """Meet everybody who is there once more, and decide anew."""
        self.look()
        for connection in [accepted for accepted in self._by_fd.values() if accepted.is_open]:
            meeting = self._peers.meet(connection.fd)
            self.look()
            if connection.is_open and self._by_fd[connection.fd] is connection:
                on_met(connection.identity, meeting)
            else:
                meeting.close()

    def _connection(self, fd: int, handshake: int) -> Connection | None:
        connection = self._by_fd.get(fd)
        while connection is not None and connection.number > handshake:
            connection = connection.before
        return connection

    def _read_all(self) -> tuple[set[int], set[int]]:
        """Return the descriptors that are new and open, and all that there is news of."""
        opened: set[int] = set()
        disturbed: set[int] = set()
        for accepted, fd in self._read():
            disturbed.add(fd)
            if accepted:
                self._count += 1
                self._by_fd[fd] = Connection(fd, self._count, self._by_fd.get(fd))
                opened.add(fd)
            else:
                opened.discard(fd)
                if fd in self._by_fd:
                    self._by_fd[fd].close()
        return opened, disturbed
