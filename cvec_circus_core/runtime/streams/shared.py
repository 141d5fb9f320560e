"""What the streams of all watchers share: classes, memory, and whoever listens from afar."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from cvec_circus_core.extend.sink import Sinks
from cvec_circus_core.model.names import topic_name
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.runtime.streams.recent import Memory

log = logging.getLogger(__name__)


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

    def closed(self, outlet: OpenSink) -> None:
        """Be told that a sink is closed; it may have been opened again since."""
        if not outlet.is_open:
            self.outlets.discard(outlet)
        if self.on_closed is not None and not self.outlets:
            self.on_closed()


async def close_outputs(outputs: Outputs, seconds: float) -> None:
    """Read what is left in the pipes and close every sink, after so many seconds at most.

    Processes that still run lose their pipes.
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
    try:
        await asyncio.wait_for(done.wait(), seconds)
    except TimeoutError:
        for outlet in outputs.outlets:
            log.error(
                "%s did not take its last %d bytes within %g s; they are lost",
                *(outlet.label, outlet.waiting, seconds),
            )


def topic_of(watcher: str, pid: int, channel: str) -> str:
    """Return the topic under which a process's output is published."""
    return f"stream.{topic_name(watcher)}.{pid}.{channel}"


def as_json(data: bytes) -> dict[str, str]:
    """Return bytes as JSON can tell them: a text, or base64 where they are none."""
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data": b64encode(data).decode(), "encoding": "base64"}
