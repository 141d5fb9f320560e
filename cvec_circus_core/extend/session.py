"""What circusctl does for a command that goes on after a reply, or completes its arguments.

See `Command.follow` and `Command.complete`. A command that does neither does not load this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from cvec_circus_core.model.errors import CallError


class Piece(NamedTuple):
    """What `Command.follow` prints: bytes for people, an object a line with ``--json``."""

    content: Mapping[str, Any]
    data: bytes


class Refused(Exception):
    """The daemon has refused a request of a command that follows."""

    def __init__(self, reply: Mapping[str, Any]) -> None:
        super().__init__(str(reply.get("reason") or "the daemon gave no reason"))
        self.reply = reply


class Events(Protocol):
    """A subscription to events of the daemon."""

    @property
    def endpoint(self) -> str:
        """Where the events come from."""

    @property
    def trouble(self) -> CallError | None:
        """Why there was no connection when it was opened, if there was none."""

    def receive(self, timeout: float) -> tuple[bytes, bytes] | None:
        """Return the topic and the body of the next event, None where none comes in time."""


class Session(Protocol):
    """One run of circusctl: ask its daemon, and hear its events."""

    @property
    def endpoint(self) -> str | None:
        """What ``--endpoint`` says, if it is there."""

    def call(
        self, command: str, properties: Mapping[str, Any], patience: float | None = None
    ) -> Mapping[str, Any]:
        """Return the reply to a request, an error reply, too. Raises CallError.

        At most ``patience`` seconds are waited for it, where that is less than usual.
        """

    def events(
        self, topics: Sequence[str], endpoint: str, patience: float | None = None
    ) -> AbstractContextManager[Events]:
        """Subscribe to topics at an endpoint, as the daemon tells it or as the user gives it.

        At most ``patience`` seconds are waited for the connection, else as long as for a reply.
        Raises NothingListens where that is plain at once, unless the user wants to wait.
        """

    def tell(self, sentence: str, *, is_hint: bool = False) -> None:
        """Tell people something on standard error; a hint only where that is a terminal."""


class Questions(Protocol):
    """What `Command.complete` may ask; where no daemon answers, all answers are empty."""

    def names_of(self, kind: str, words: Sequence[str]) -> Iterable[str]:
        """Return what a property that names this kind of thing may be; see `Prop.names`."""

    def call(self, command: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the reply to a request."""
