"""What the streams of all watchers share: stream classes, pipes, and subscribers."""

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
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.streams.kept_pipes import KeptPipes
from cvec_circus_core.runtime.streams.process_pipes import STDERR, STDOUT
from cvec_circus_core.runtime.streams.stream_settings import CHANNELS
from cvec_circus_core.system.output_journal import OutputJournal
from cvec_circus_core.system.protocols import Clock

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
    is_open: bool

    @property
    def failures(self) -> int:
        """Calls that raised."""

    @property
    def waiting(self) -> int:
        """Bytes that it has not taken yet."""

    def close(self, then: Callable[[], None] | None = None) -> None:
        """Close it once it has taken what waits for it, and call ``then``."""


class OutputSubscribers(Protocol):
    """The clients that have subscribed to output as it comes."""

    def wants_output(self, topic: str) -> bool:
        """Tell whether anybody listens to a topic."""

    def publish_output(self, topic: str, body: Mapping[str, Any]) -> None:
        """Send one piece of output."""


class NoSubscribers:
    """Of a daemon without endpoints."""

    def wants_output(self, topic: str) -> bool:
        """Say no."""
        return False

    def publish_output(self, topic: str, body: Mapping[str, Any]) -> None:
        """Drop it."""


class Outputs(Struct):
    """Shared by the streams of all watchers of one daemon."""

    sinks: Sinks = field(default_factory=Sinks)
    subscribers: OutputSubscribers = field(default_factory=NoSubscribers)
    readers: set[OpenPipe] = field(default_factory=set)
    """Every pipe that is still open."""
    writers: set[OpenSink] = field(default_factory=set)
    """Every writer whose sink is not closed yet."""
    kept: dict[str, KeptPipes] = field(default_factory=dict)
    """Pipes of processes without a stream, by channel."""
    journal: OutputJournal | None = None
    """Where it is noted what is under way, if that is to outlive the daemon."""
    on_closed: Callable[[], None] | None = None
    is_hurried: bool = False
    """Whether the daemon should end now, whatever is lost."""

    def kept_pipes(
        self, channel: str, clock: Clock, loop: asyncio.AbstractEventLoop, turns: FairQueue
    ) -> KeptPipes:
        """Return the pipes of processes without a stream for one channel."""
        if channel not in self.kept:
            number = CHANNELS.index(channel) + 1
            self.kept[channel] = KeptPipes(channel, number, clock, loop, turns, self.journal)
            if STDERR in self.kept:
                self.kept[STDERR].goes_after = self.kept.get(STDOUT)
        return self.kept[channel]

    def hurry(self) -> None:
        """Wait for slow sinks no longer."""
        self.is_hurried = True
        if self.on_closed is not None:
            self.on_closed()

    def closed(self, writer: OpenSink) -> None:
        """Be told that a sink is closed; it may have been opened again since."""
        if not writer.is_open:
            self.writers.discard(writer)
        if self.on_closed is not None and not self.writers:
            self.on_closed()


async def close_outputs(outputs: Outputs, seconds: float, at_most: float = AT_MOST) -> None:
    """Read what is left in the pipes and close every sink.

    What waits is lost when no sink takes anything for so many seconds, or when all together take
    longer than ``at_most``, or than those seconds where somebody is in a hurry. Processes that
    still run lose their pipes.
    """
    for reader in (*outputs.readers, *outputs.kept.values()):
        reader.give_up()
    outputs.writers.update(kept.writer for kept in outputs.kept.values() if kept.writer.is_open)
    all_closed = asyncio.Event()
    outputs.on_closed = all_closed.set
    for writer in tuple(outputs.writers):
        if writer.is_open:
            writer.close(partial(outputs.closed, writer))
    if not outputs.writers:
        return
    if outputs.is_hurried:
        at_most = min(at_most, seconds)
    started_at = now = asyncio.get_running_loop().time()
    waiting, before = _waiting(outputs), -1
    while waiting != before and now - started_at < at_most and not all_closed.is_set():
        with suppress(TimeoutError):
            await asyncio.wait_for(all_closed.wait(), min(seconds, started_at + at_most - now))
        waiting, before = _waiting(outputs), waiting
        now = asyncio.get_running_loop().time()
    for writer in outputs.writers:
        log.error(
            "%s did not take its last %d bytes within %.1f s; they are lost",
            *(writer.label, writer.waiting, now - started_at),
        )


def _waiting(outputs: Outputs) -> int:
    return sum(writer.waiting for writer in outputs.writers)


def topic_of(watcher: str, pid: int, channel: str) -> str:
    """Return the topic under which a process's output is published."""
    return f"stream.{topic_name(watcher)}.{pid}.{channel}"


def as_json(data: bytes) -> dict[str, str]:
    """Return bytes as JSON can tell them: a text, or base64 where they are none."""
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data": b64encode(data).decode(), "encoding": "base64"}
