"""What the streams of all watchers share: classes, memory, and whoever listens from afar."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from cvec_circus_core.extend.sink import Sinks
from cvec_circus_core.model.names import topic_name
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.runtime.streams.recent import Memory

log = logging.getLogger(__name__)


AT_MOST = 90.0
"""Seconds for all sinks to take what waits for them at the end, however slow they are."""


class OpenPipe(Protocol):
    """A pipe that is read."""

    def give_up(self) -> None:
        """Read what is in it and close it."""


class OpenSink(Protocol):
    """A sink that is open, or has not taken all of its output yet."""

    label: str
    failures: int
    is_open: bool

    @property
    def waiting(self) -> int:
        """Bytes that it has not taken yet."""

    def close(self, then: Callable[[], None] | None = None) -> None:
        """Close it once it has taken what waits for it, and call ``then``."""


class Audience(Protocol):
    """Those who subscribed to output as it comes."""

    def wants_output(self, topic: str) -> bool:
        """Tell whether anybody listens to a topic."""

    def publish_output(self, topic: str, body: Mapping[str, Any]) -> None:
        """Send one piece of output."""


class Nobody:
    """The audience of a daemon without endpoints."""

    def wants_output(self, topic: str) -> bool:
        """Nobody listens."""
        return False

    def publish_output(self, topic: str, body: Mapping[str, Any]) -> None:
        """Say it to nobody."""


class Outputs(Struct):
    """Shared by the streams of all watchers of one daemon."""

    sinks: Sinks = field(default_factory=Sinks)
    memory: Memory = field(default_factory=Memory)
    audience: Audience = field(default_factory=Nobody)
    readers: set[OpenPipe] = field(default_factory=set)
    """Every pipe that is still open."""
    outlets: set[OpenSink] = field(default_factory=set)
    """Every outlet whose sink is not closed yet."""
    on_closed: Callable[[], None] | None = None
    is_hurried: bool = False
    """Whether somebody wants the end now, whatever is lost."""

    def hurry(self) -> None:
        """Wait for slow sinks no longer."""
        self.is_hurried = True
        if self.on_closed is not None:
            self.on_closed()

    def closed(self, outlet: OpenSink) -> None:
        """Be told that a sink is closed; it may have been opened again since."""
        if not outlet.is_open:
            self.outlets.discard(outlet)
        if self.on_closed is not None and not self.outlets:
            self.on_closed()


async def close_outputs(outputs: Outputs, seconds: float, at_most: float = AT_MOST) -> None:
    """Read what is left in the pipes and close every sink.

    What waits is lost when no sink takes anything for so many seconds, or when all together take
    longer than ``at_most``, or than those seconds where somebody is in a hurry. Processes that
    still run lose their pipes.
    """
    for reader in tuple(outputs.readers):
        reader.give_up()
    done = asyncio.Event()
    outputs.on_closed = done.set
    for outlet in tuple(outputs.outlets):
        if outlet.is_open:
            outlet.close(partial(outputs.closed, outlet))
    if not outputs.outlets:
        return
    if outputs.is_hurried:
        at_most = min(at_most, seconds)
    begun = now = asyncio.get_running_loop().time()
    left, before = _waiting(outputs), -1
    while left != before and now - begun < at_most and not done.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), min(seconds, begun + at_most - now))
        left, before = _waiting(outputs), left
        now = asyncio.get_running_loop().time()
    for outlet in outputs.outlets:
        log.error(
            "%s did not take its last %d bytes within %.1f s; they are lost",
            *(outlet.label, outlet.waiting, now - begun),
        )


def _waiting(outputs: Outputs) -> int:
    return sum(outlet.waiting for outlet in outputs.outlets)


def topic_of(watcher: str, pid: int, channel: str) -> str:
    """Return the topic under which a process's output is published."""
    return f"stream.{topic_name(watcher)}.{pid}.{channel}"


def as_json(data: bytes) -> dict[str, str]:
    """Return bytes as JSON can tell them: a text, or base64 where they are none."""
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data": b64encode(data).decode(), "encoding": "base64"}
