"""Bodies as they are sent: written anew only where something has changed.

Of a process that sleeps nothing changes but its age, so the rest of its body is kept as it was
written. What was not asked for in one sample is forgotten after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cvec_circus_core.api import encode_event
from cvec_circus_plugins.stats.bodies import Body, Extra, Reading, sums_of


class _CachedBody(NamedTuple):
    steady: Body
    facts: tuple[Any, ...]
    text: bytes


class BodyCache:
    """Keeps what was written for the last sample."""

    def __init__(self) -> None:
        self._last: dict[str, _CachedBody] = {}
        self._current: dict[str, _CachedBody] = {}
        self._last_sums: dict[str, tuple[list[Body], Body]] = {}
        self._sums: dict[str, tuple[list[Body], Body]] = {}

    def process_body(
        self, topic: str, reading: Reading, extra: Extra | None, make: Callable[[], Body]
    ) -> bytes:
        """Return the body of a process, which ``make`` makes where it has to be made."""
        facts = (reading.cpu, reading.children_cpu, reading.children_rss, extra)
        last = self._last.get(topic)
        if last is None or last.steady is not reading.told or last.facts != facts:
            # Without the bracket at the end: the age comes before it.
            last = _CachedBody(reading.told, facts, encode_event(make())[:-1])
        self._current[topic] = last
        return b'%b,"age":%b}' % (last.text, encode_event(reading.age))

    def sums(self, topic: str, readings: Sequence[Reading]) -> Body:
        """Return the sums of some processes, added up only where one of them has changed."""
        bodies = [reading.told for reading in readings]
        last = self._last_sums.get(topic)
        # Lists compare what they hold by identity first, so this is quick.
        if last is None or last[0] != bodies:
            last = bodies, sums_of(bodies)
        self._sums[topic] = last
        return last[1]

    def rotate(self) -> None:
        """Forget what was not asked for since the last turn."""
        self._last, self._current = self._current, {}
        self._last_sums, self._sums = self._sums, {}
