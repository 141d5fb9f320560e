"""What a subscription to everything brings, and what is known of an audience that changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import zmq
import zmq.asyncio

from cvec_circus_core.control.bind import BindTarget
from cvec_circus_core.control.peers.authentication import NoAuthentication
from cvec_circus_core.control.publisher import EventPublisher
from cvec_circus_core.model.access import Caller

LIMIT = 30.0


class Event:
    """As much of an event as is published."""

    number = 1

    def __init__(self, topic: str) -> None:
        self.topic = topic

    def body(self) -> dict[str, Any]:
        """Return the topic."""
        return {"topic": self.topic}


@asynccontextmanager
async def publishing(folder: Path) -> AsyncIterator[tuple[EventPublisher, zmq.asyncio.Context]]:
    """Publish at an endpoint in a folder."""
    loop = asyncio.get_running_loop()
    with zmq.asyncio.Context() as context:
        anybody = NoAuthentication("here", lambda somebody: cast(Caller, somebody))
        place = BindTarget(f"ipc://{folder}/events", "pubsub_endpoint")
        publisher = EventPublisher(zmq.Context.shadow(context), place, anybody, loop)
        try:
            yield publisher, context
        finally:
            publisher.close()
            context.destroy(linger=0)


def subscribed(publisher: EventPublisher, context: zmq.asyncio.Context, *topics: bytes) -> Any:
    """Return a subscriber."""
    subscriber = context.socket(zmq.SUB)
    for topic in topics:
        subscriber.subscribe(topic)
    subscriber.connect(publisher.endpoint)
    return subscriber


async def until(fact: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(LIMIT):
        while not fact():  # noqa: ASYNC110 - nobody would set an event
            await asyncio.sleep(0.005)


async def topics_until(subscriber: Any, last: str) -> list[str]:
    """Return the topics that a subscriber gets, up to this one."""
    topics: list[str] = []
    async with asyncio.timeout(LIMIT):
        while last not in topics:
            topics.append(json.loads((await subscriber.recv_multipart())[1])["topic"])
    return topics


def test_everything_is_neither_output_nor_what_callers_did(tmp_path: Path) -> None:
    async def main() -> None:
        async with publishing(tmp_path) as (publisher, context):
            everything = subscribed(publisher, context, b"")
            by_name = subscribed(publisher, context, b"audit.", b"stream.", b"watcher.last")
            both = subscribed(publisher, context, b"", b"audit.")
            topics = publisher._broadcast._counts
            await until(lambda: (topics[b""], topics[b"audit."]) == (2, 2))
            await until(lambda: publisher.wants_output("stream.web.stdout"))
            for topic in ("audit.web.stop", "watcher.web.stop"):
                publisher.publish(cast(Any, Event(topic)))
            publisher.publish_output("stream.web.stdout", {"topic": "stream.web.stdout"})
            publisher.publish(cast(Any, Event("watcher.last.stop")))
            last = "watcher.last.stop"
            assert await topics_until(everything, last) == ["watcher.web.stop", last]
            assert await topics_until(by_name, last) == [
                "audit.web.stop",
                "stream.web.stdout",
                last,
            ]
            assert await topics_until(both, last) == ["audit.web.stop", "watcher.web.stop", last]

    asyncio.run(main())


def test_the_audience_is_known_as_it_comes_and_goes(tmp_path: Path) -> None:
    async def main() -> None:
        async with publishing(tmp_path) as (publisher, context):
            audience = [subscribed(publisher, context, b"", b"watcher.web.") for _ in range(3)]
            counts = publisher._broadcast._counts
            await until(lambda: counts == {b"": 3, b"watcher.web.": 3})
            audience[0].unsubscribe(b"watcher.web.")
            await until(lambda: counts == {b"": 3, b"watcher.web.": 2})
            audience[0].unsubscribe(b"")
            audience[1].close(linger=0)
            await until(lambda: counts == {b"": 1, b"watcher.web.": 1})
            for topic in ("watcher.other.stop", "watcher.web.stop"):
                publisher.publish(cast(Any, Event(topic)))
            topics = await topics_until(audience[2], "watcher.web.stop")
            assert topics == ["watcher.other.stop", "watcher.web.stop"]
            audience[2].close(linger=0)
            await until(lambda: not publisher._broadcast.topics)
            assert not await audience[0].poll(0)

    asyncio.run(main())
