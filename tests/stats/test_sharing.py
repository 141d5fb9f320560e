"""Looks at the process table are shared by all who ask at the same time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from cvec_circus_core.runtime.census_cache import SharedCensus
from cvec_circus_core.system.fakes import FakeClock


class Slow:
    """A census that looks when it is told to, and writes down what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[set[int], bool]] = []
        self.may_look = threading.Event()
        self.may_look.set()
        self.error: Exception | None = None

    def take(self, pids: Iterable[int], *, pss: bool = False) -> Mapping[int, Any]:
        wanted = set(pids)
        self.asked.append((wanted, pss))
        assert self.may_look.wait(20)
        if self.error is not None:
            raise self.error
        return {pid: f"info of {pid}" for pid in wanted}


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shared(slow: Slow, clock: FakeClock) -> SharedCensus:
    return SharedCensus(clock, lambda _: slow)


def test_a_hundred_askers_cost_two_looks(slow: Slow, shared: SharedCensus) -> None:
    async def ask() -> list[Any]:
        slow.may_look.clear()
        first = asyncio.ensure_future(shared.take([1]))
        while not slow.asked:  # noqa: ASYNC110 - the thread has no other way to tell
            await asyncio.sleep(0.001)
        others = [asyncio.ensure_future(shared.take([pid], pss=pid == 50)) for pid in range(100)]
        await asyncio.sleep(0)
        slow.may_look.set()
        told = await asyncio.gather(*others)
        return [(await first)[1], *(one[pid] for pid, one in enumerate(told))]

    answers = asyncio.run(ask())
    assert answers == ["info of 1", *(f"info of {pid}" for pid in range(100))]
    assert slow.asked == [({1}, False), (set(range(100)), True)]


def test_what_is_fresh_is_told_again(slow: Slow, shared: SharedCensus, clock: FakeClock) -> None:
    async def ask(*pids: int, pss: bool = False) -> Any:
        return await shared.take(pids, pss=pss)

    async def several() -> None:
        for passed, pids, pss in [
            (0.0, (1, 2), False),  # a look
            (0.05, (2,), False),  # known
            (0.0, (2, 3), False),  # not all of it is known: a look
            (0.05, (3,), True),  # memory was not looked at so closely: a look
            (0.09, (3,), False),  # known
            (0.02, (3,), False),  # too old: a look
        ]:
            clock.advance(passed)
            assert set(await ask(*pids, pss=pss)) >= set(pids)

    asyncio.run(several())
    assert slow.asked == [({1, 2}, False), ({2, 3}, False), ({3}, True), ({3}, False)]


def test_a_failure_is_told_to_all_who_asked_and_to_nobody_else(
    slow: Slow, shared: SharedCensus
) -> None:
    async def ask() -> list[Any]:
        slow.error = OSError("no process table today")
        asked = (shared.take([1]), shared.take([2]))
        told = await asyncio.gather(*asked, return_exceptions=True)
        slow.error = None
        return [*told, await shared.take([3])]

    one, two, three = asyncio.run(ask())
    assert isinstance(one, OSError)
    assert isinstance(two, OSError)
    assert three == {3: "info of 3"}


def test_who_gives_up_does_not_take_it_from_the_others(slow: Slow, shared: SharedCensus) -> None:
    async def ask() -> Any:
        slow.may_look.clear()
        impatient = asyncio.ensure_future(shared.take([1]))
        patient = asyncio.ensure_future(shared.take([2]))
        await asyncio.sleep(0)
        impatient.cancel()
        slow.may_look.set()
        return await patient

    assert asyncio.run(ask())[2] == "info of 2"
