"""The blocking subscriber to statistics: decoded, and sorted into who and what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import msgspec.json
import zmq

from cvec_circus_core.control.consumer import CircusConsumer
from cvec_circus_core.model.curve_keys import CurveKeys

STATS_ENDPOINT = "tcp://127.0.0.1:5557"
TOPIC = "stat."

Stat = tuple[str, str | None, dict[str, Any]]
"""The watcher as in the topic, or ``circus`` or ``sockets``; the pid or number of a socket as text,
None for the sums of all; and the numbers."""


class StatsClient:
    """Yields statistics as they come, about once a second for everything that is watched.

    ``topics`` are beginnings of topics: ``stat.`` is everything, ``stat.web`` the watchers whose
    names begin with web, ``stat.sockets`` the sockets. The daemon measures only what somebody
    subscribes to.
    """

    def __init__(
        self,
        endpoint: str = STATS_ENDPOINT,
        ssh_server: str | None = None,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        ssh_keyfile: str | None = None,
        topics: Sequence[str] = (TOPIC,),
        keys: str | CurveKeys | None = None,
        trust_user: str | Sequence[str] = (),
    ) -> None:
        self.endpoint = endpoint
        self._consumer = CircusConsumer(
            topics, context, endpoint, ssh_server, ssh_keyfile, keys, trust_user
        )

    def iter_messages(self) -> Iterator[Stat]:
        """Yield statistics without end; leave the loop, or interrupt it, to stop."""
        for topic, body in self._consumer:
            if (stat := _read(topic, body)) is not None:
                yield stat

    def receive(self, timeout: float) -> Stat | None:
        """Return what comes next, or None where nothing came within so many seconds."""
        got = self._consumer.receive(timeout)
        return None if got is None else _read(*got)

    def wait_connected(self, timeout: float) -> bool:
        """Wait until the publisher is there; return False where that takes longer, in seconds.

        Who may not read is never connected.
        """
        return self._consumer.wait_connected(timeout)

    def stop(self) -> None:
        """Close the connection."""
        self._consumer.stop()

    def __iter__(self) -> Iterator[Stat]:
        return self.iter_messages()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _read(topic: bytes, body: bytes) -> Stat | None:
    name = topic.decode(errors="replace")
    try:
        stat = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return None
    if not name.startswith(TOPIC) or not isinstance(stat, dict):
        return None
    name = name.removeprefix(TOPIC)
    number = stat.get("subtopic")
    # A watcher's name may hold dots: only the body tells whether a number stands at the end.
    if number is not None and name.endswith(f".{number}"):
        return name.removesuffix(f".{number}"), str(number), stat
    return name, None, stat
