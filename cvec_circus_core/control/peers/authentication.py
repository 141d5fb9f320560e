"""How messages come in: a socket that is opened behind an authentication, which tells the caller.

Every endpoint is opened this way, whatever serves it: the authentication takes over the socket
before it is bound, and learns where that was (`authenticator.py` has the one that asks who calls).
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import zmq

from cvec_circus_core.model.access import Anybody, Authorize, Caller


class Bound(NamedTuple):
    """Where a socket was bound."""

    endpoint: str
    by_key: bool
    """Whether only those come in there who show a key."""


class Handshake(NamedTuple):
    """What a caller who connects says, as libzmq has checked it."""

    address: str
    key: str | None
    """The public key, where CURVE is spoken; that the caller has the secret one is certain."""


class Bindable(Protocol):
    """Where a socket is to be bound."""

    def bind(self, bound: zmq.Socket[Any]) -> Bound:
        """Bind a socket. Raises `CannotBind`."""

    def mend(self, bound: zmq.Socket[Any]) -> bool:
        """Bind a socket once more if its file is gone, and tell so. Raises `CannotBind`."""


class Authentication(Protocol):
    """Where messages come in, and who tells from whom they are."""

    def guard(self, guarded: zmq.Socket[Any]) -> None:
        """Take over the connections of a socket that is not bound yet."""

    def opened(self, bound: Bound) -> None:
        """Learn where the socket was bound."""

    def caller_of(self, frame: zmq.Frame) -> Caller:
        """Return who has sent a frame."""

    def renew(self) -> None:
        """Authorize everybody anew."""

    def close(self) -> None:
        """Look after nobody any more; before the socket is closed."""


class NoAuthentication:
    """Where everybody is let in, on purpose."""

    def __init__(self, where: str, authorize: Authorize) -> None:
        self._caller = authorize(Anybody(where))

    def guard(self, guarded: zmq.Socket[Any]) -> None:
        """Leave the socket as it is."""

    def opened(self, bound: Bound) -> None:
        """Learn nothing."""

    def caller_of(self, frame: zmq.Frame) -> Caller:
        """Return the same for all."""
        return self._caller

    def renew(self) -> None:
        """Change nothing."""

    def close(self) -> None:
        """There is nothing to close."""


def open_behind(authentication: Authentication, place: Bindable, socket: zmq.Socket[Any]) -> str:
    """Bind a socket whose options are set, and return the endpoint that it got.

    Where that can not be, the socket is closed. Raises `CannotBind`.
    """
    socket.linger = 0
    try:
        authentication.guard(socket)
        bound = place.bind(socket)
        authentication.opened(bound)
    except BaseException:
        authentication.close()
        socket.close()
        raise
    return bound.endpoint
