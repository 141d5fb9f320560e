"""Looks at the process table are shared: a hundred questions cost two."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from cvec_circus_core.runtime.census_cache import FRESH, SharedCensus
from cvec_circus_core.system.fakes import FakeClock
from tests.runtime.memory import in_memory

LIMIT = 20.0


class Census:
    """Counts looks; while ``gate`` is shut a look takes its time."""

    def __init__(self) -> None:
        self.looks: list[tuple[frozenset[int], bool]] = []
        self.threads: set[int] = set()
        self.error: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()

    def take(self, pids: Iterable[int], *, pss: bool = False) -> Mapping[int, Any]:
        """Look."""
        self.begun.set()
        assert self.gate.wait(LIMIT)
        self.threads.add(threading.get_ident())
        self.looks.append((frozenset(pids), pss))
        if self.error is not None:
            raise self.error
        return {pid: f"{pid} in look {len(self.looks)}" for pid in pids}


def shared() -> tuple[Census, FakeClock, SharedCensus]:
    """Return a census, its clock, and the census whose looks are shared."""
    census, clock = Census(), FakeClock()
    return census, clock, SharedCensus(clock, lambda _: census)


@in_memory
async def test_who_asks_while_a_look_is_under_way_joins_the_next() -> None:
    census, _, cache = shared()
    census.gate.clear()
    first = asyncio.create_task(cache.take([1]))
    assert await asyncio.to_thread(census.begun.wait, LIMIT)
    others = [asyncio.create_task(cache.take([pid])) for pid in range(2, 102)]
    await asyncio.sleep(0)
    census.gate.set()
    await asyncio.wait_for(asyncio.gather(first, *others), LIMIT)
    assert [len(pids) for pids, _ in census.looks] == [1, 100]


@in_memory
async def test_it_looks_in_another_thread() -> None:
    census, _, cache = shared()
    await cache.take([1])
    assert census.threads != {threading.get_ident()}


@pytest.mark.parametrize(
    ("seconds", "pids", "pss", "looks"),
    [
        (0.0, [1], False, 1),
        (FRESH / 2, [1, 2], False, 1),
        (FRESH, [1], False, 2),
        (0.0, [3], False, 2),
        (0.0, [1], True, 2),
    ],
    ids=["the same", "soon again", "later", "of others", "with more"],
)
@in_memory
async def test_what_is_fresh_is_told_again(
    seconds: float, pids: list[int], pss: bool, looks: int
) -> None:
    census, clock, cache = shared()
    await cache.take([1, 2])
    clock.advance(seconds)
    infos = await cache.take(pids, pss=pss)
    assert len(census.looks) == looks
    assert [infos[pid] for pid in pids] == [f"{pid} in look {looks}" for pid in pids]


@in_memory
async def test_a_look_that_fails_fails_for_all_and_the_next_works() -> None:
    census, _, cache = shared()
    census.error = RuntimeError("no table")
    questions = [asyncio.create_task(cache.take([pid])) for pid in (1, 2)]
    results = await asyncio.gather(*questions, return_exceptions=True)
    assert [str(result) for result in results] == ["no table", "no table"]
    census.error = None
    assert await cache.take([1]) == {1: "1 in look 2"}


@in_memory
async def test_who_gives_up_takes_the_look_from_nobody() -> None:
    census, _, cache = shared()
    census.gate.clear()
    impatient, patient = (asyncio.create_task(cache.take([pid])) for pid in (1, 2))
    await asyncio.sleep(0)
    impatient.cancel()
    census.gate.set()
    assert (await asyncio.wait_for(patient, LIMIT))[2] == "2 in look 1"
