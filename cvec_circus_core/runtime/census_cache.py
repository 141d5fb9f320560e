"""One look at the process table for all who ask at the same time, in one worker thread.

Anyone who asks while a look is under way joins the next one, so that a hundred questions cost two
looks. What is younger than a tenth of a second is told again: a shorter sample says nothing, and
nobody can keep a core busy by asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.system.processes.priority import precedence
from cvec_circus_core.system.protocols import Clock

FRESH = 0.1
"""Seconds for which a look is told again."""


class BlockingCensus(Protocol):
    """Reads what processes use; blocks."""

    def take(self, pids: Iterable[int], *, pss: bool = False) -> Mapping[int, Any]:
        """Return an info object, or a text, for each pid."""


def census_of_psutil(clock: Clock) -> BlockingCensus:
    """Return the census of this machine; what it needs takes memory, and is imported here."""
    module = import_module("cvec_circus_core.system.stats.census")
    census: BlockingCensus = module.Census(clock)
    return census


class _Look(Struct):
    """What one look is to find, and found."""

    answer: asyncio.Future[Mapping[int, Any]]
    pids: set[int] = field(default_factory=set)
    pss: bool = False
    at: float = 0.0

    def covers(self, pids: Iterable[int], *, pss: bool) -> bool:
        return (self.pss or not pss) and self.pids.issuperset(pids)


class SharedCensus:
    """A census whose looks are shared."""

    def __init__(self, clock: Clock, make: Callable[[Clock], BlockingCensus]) -> None:
        self._clock = clock
        self._make = make
        self._census: BlockingCensus | None = None
        self._next: _Look | None = None
        self._last: _Look | None = None
        self._worker: asyncio.Task[None] | None = None

    async def take(self, pids: Sequence[int], *, pss: bool = False) -> Mapping[int, Any]:
        """Return an info object for each pid, and maybe for more."""
        last = self._last
        if last is not None and self._clock.now() - last.at < FRESH and last.covers(pids, pss=pss):
            return last.answer.result()
        if self._next is None:
            self._next = _Look(asyncio.get_running_loop().create_future())
        self._next.pids.update(pids)
        self._next.pss |= pss
        look = self._next
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name="census")
        # Who gives up does not take the look away from the others.
        return await asyncio.shield(look.answer)

    async def _work(self) -> None:
        while self._next is not None:
            look, self._next = self._next, None
            try:
                infos = await asyncio.to_thread(self._read, look)
            except Exception as error:
                look.answer.set_exception(error)
                look.answer.exception()  # told to anyone who still waits; nobody need be there
            else:
                look.at = self._clock.now()
                look.answer.set_result(infos)
                self._last = look

    def _read(self, look: _Look) -> Mapping[int, Any]:
        precedence.join()
        if self._census is None:
            self._census = self._make(self._clock)
        return self._census.take(look.pids, pss=look.pss)
