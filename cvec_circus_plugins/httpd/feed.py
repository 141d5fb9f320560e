"""From the daemons to the browsers: what changed, to each as fast as it reads.

A mailbox holds what one browser has not been sent yet. What describes a state replaces what
describes an older state of the same thing; what happened is kept in order up to a bound, and what
is lost beyond is counted. So a browser that does not read costs bounded memory, and nobody else
waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

EVENTS_KEPT = 500
"""Events that wait for one browser at most."""

OUTPUT_KEPT = 256 * 1024
"""Bytes of output that wait for one browser at most."""

Message = Mapping[str, Any]


class Mailbox:
    """What one browser has not been sent yet."""

    def __init__(self, *, wants_states: bool = True) -> None:
        self.wants_states = wants_states
        """Whether it is a page's; a stream of events or of output gets nothing else."""
        self._states: dict[tuple[str, str, str], Any] = {}
        self._snapshots: dict[str, Message] = {}
        self._events: deque[Message] = deque()
        self._events_lost = 0
        self._output: deque[Message] = deque()
        self._output_size = 0
        self._output_lost = 0
        self._filled = asyncio.Event()
        self.topics: frozenset[str] = frozenset()
        """What the browser wants beside the state; see `live`."""
        self.watcher: tuple[str, str] | None = None
        """The daemon and the watcher that its page is about."""

    def put_snapshot(self, daemon: str, message: Message) -> None:
        """Send the whole state of a daemon; what was to be sent of it before is in there."""
        self._states = {key: state for key, state in self._states.items() if key[1] != daemon}
        self._snapshots[daemon] = message
        self._filled.set()

    def put_states(self, kind: str, daemon: str, states: Mapping[str, Any]) -> None:
        """Send what is so now of some things of one kind."""
        for name, state in states.items():
            self._states[kind, daemon, name] = state
        self._filled.set()

    def put_event(self, message: Message) -> None:
        """Send what happened."""
        if len(self._events) >= EVENTS_KEPT:
            self._events.popleft()
            self._events_lost += 1
        self._events.append(message)
        self._filled.set()

    def put_output(self, message: Message, size: int) -> None:
        """Send a piece of output."""
        self._output.append(message)
        self._output_size += size
        while self._output_size > OUTPUT_KEPT and len(self._output) > 1:
            oldest = self._output.popleft()
            self._output_size -= len(oldest["data"])
            self._output_lost += len(oldest["data"])
        self._filled.set()

    async def take(self) -> list[Message]:
        """Wait for something to send, and return all that there is."""
        await self._filled.wait()
        self._filled.clear()
        messages = [*self._snapshots.values(), *_grouped(self._states), *self._events]
        if self._events_lost:
            messages.append({"type": "lost", "events": self._events_lost})
        if self._output_lost:
            messages.append({"type": "lost", "output": self._output_lost})
        messages.extend(self._output)
        self._snapshots, self._states = {}, {}
        self._events.clear()
        self._output.clear()
        self._events_lost = self._output_lost = self._output_size = 0
        return messages


def _grouped(states: Mapping[tuple[str, str, str], Any]) -> Iterable[Message]:
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for (kind, daemon, name), state in states.items():
        groups.setdefault((kind, daemon), {})[name] = state
    for (kind, daemon), group in groups.items():
        yield {"type": kind, "daemon": daemon, kind: group}


class Feed:
    """The mailboxes of all browsers that are there."""

    def __init__(self, on_audience: Callable[[], None]) -> None:
        self._mailboxes: set[Mailbox] = set()
        self._on_audience = on_audience

    @property
    def mailboxes(self) -> Iterable[Mailbox]:
        """All of them."""
        return self._mailboxes

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self._mailboxes)

    @property
    def has_audience(self) -> bool:
        """Whether any page is open."""
        return any(mailbox.wants_states for mailbox in self._mailboxes)

    def join(self, mailbox: Mailbox) -> None:
        """Send to one more browser."""
        self._mailboxes.add(mailbox)
        self._on_audience()

    def leave(self, mailbox: Mailbox) -> None:
        """Send to this one no longer."""
        self._mailboxes.discard(mailbox)
        self._on_audience()

    def changed(self) -> None:
        """Be told that a browser wants something else."""
        self._on_audience()

    def snapshot(self, daemon: str, message: Message) -> None:
        """Send the whole state of a daemon to all."""
        for mailbox in self._mailboxes:
            if mailbox.wants_states:
                mailbox.put_snapshot(daemon, message)

    def states(
        self, kind: str, daemon: str, states: Mapping[str, Any], topic: str | None = None
    ) -> None:
        """Send changed states to all, or to those who want a topic."""
        for mailbox in self._mailboxes:
            if mailbox.wants_states and (topic is None or topic in mailbox.topics):
                mailbox.put_states(kind, daemon, states)

    def event(self, message: Message) -> None:
        """Send an event to those who want events."""
        for mailbox in self._mailboxes:
            if "events" in mailbox.topics:
                mailbox.put_event(message)
