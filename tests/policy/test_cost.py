"""What a step costs: the same with ten slots and with ten thousand.

Counted first, which gives the same on every machine: the lines of `policy/` that run, and the slots
that are taken out of an index by running through it. Then measured, with room for a bad day.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from types import FrameType
from typing import Any

import pytest

from cvec_circus_core.model.readiness import alive
from cvec_circus_core.policy.watcher import state as states
from cvec_circus_core.policy.watcher.inputs import (
    Exited,
    Input,
    Renew,
    Resize,
    Retire,
    Spawned,
    SpawnFailed,
    Tick,
)
from cvec_circus_core.policy.watcher.machine import step, wake_at
from cvec_circus_core.policy.watcher.slots import Slot
from tests.policy.table import STOP, Watcher, active

SIZES = (10, 100, 1000, 10_000)
ROOM = states.__file__.rpartition("/")[0]
LOG_ROOM = 1.6
"""How much more work 10 000 may be than 10: a heap has a few more levels."""


def lines_run(act: Callable[[], object]) -> int:
    """Count the lines of `policy/` that run: a loop over all slots can not hide in them."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def respawned(web: Watcher, wid: int, at: float) -> None:
    """Let one process die and its successor come."""
    slot = web.state.slots.by_wid[wid]
    step(web.state, [Exited(slot.pid, 1)], at)
    wake_at(web.state)
    step(web.state, [Spawned(wid, slot.pid + 100_000)], at)
    wake_at(web.state)


def died_quickly(web: Watcher, wid: int, at: float) -> None:
    """Let one process die into a pause, and the pause end."""
    slot = web.state.slots.by_wid[wid]
    slot.deaths, slot.started_at = 1, at
    step(web.state, [Exited(slot.pid, 1)], at)
    step(web.state, [Tick()], wake_at(web.state) or at)
    step(web.state, [Spawned(wid, slot.pid + 100_000)], at + 1)


def failed(web: Watcher, wid: int, at: float) -> None:
    """Let one process die, its successor fail, and the next one come."""
    slot = web.state.slots.by_wid[wid]
    step(web.state, [Exited(slot.pid, 1)], at)
    step(web.state, [SpawnFailed(wid, "no")], at)
    step(web.state, [Spawned(wid, slot.pid + 100_000)], at)


def retired(web: Watcher, wid: int, at: float) -> None:
    """Stop one by hand."""
    pid = web.state.slots.by_wid[wid].pid
    step(web.state, [Retire((pid,))], at)
    wake_at(web.state)
    step(web.state, [Exited(pid, 0)], at)


def resized(web: Watcher, wid: int, at: float) -> None:
    """Want one less."""
    step(web.state, [Resize(web.state.spec.numprocesses - 1)], at)


def ticked(web: Watcher, wid: int, at: float) -> None:
    """Wake up for nothing."""
    step(web.state, [Tick()], at)
    wake_at(web.state)


ACTS = [respawned, died_quickly, failed, retired, resized, ticked]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_one_thing_costs_the_same_however_many_there_are(
    act: Callable[[Watcher, int, float], None],
) -> None:
    costs = []
    for size in SIZES:
        web = active(numprocesses=size, max_age=1e6)
        costs.append(lines_run(partial(act, web, 5, 50.0)))
    assert 0 < max(costs) <= LOG_ROOM * costs[0], dict(zip(SIZES, costs, strict=True))


def test_a_spawn_in_the_middle_of_a_reload_costs_the_same() -> None:
    costs = []
    for size in SIZES:
        web = active(numprocesses=size, ready=alive(9))
        step(web.state, [Renew()], 10.0)
        (wid, *_) = web.state.slots.spawning
        inputs: list[Input] = [Spawned(wid, 900_000)]
        costs.append(lines_run(partial(step, web.state, inputs, 10.0)))
    assert max(costs) <= LOG_ROOM * costs[0], dict(zip(SIZES, costs, strict=True))


def test_a_batch_of_deaths_costs_as_much_as_its_deaths() -> None:
    web = active(numprocesses=10_000)
    cost: dict[int, int] = {}
    first = 1
    for count in (10, 100, 1000):
        wids = range(first, first + count)
        batch = [Exited(web.state.slots.by_wid[wid].pid, 1) for wid in wids]
        cost[count] = lines_run(partial(step, web.state, batch, 50.0))
        while web.state.slots.spawning:
            come = [Spawned(wid, 100_000 + wid) for wid in tuple(web.state.slots.spawning)]
            step(web.state, come, 50.0)
        first += count
    assert cost[1000] <= 11 * cost[100] <= 150 * cost[10], cost


def test_the_clock_agrees() -> None:
    """Best of several, alternating, with room: only a scan of all slots would show here."""
    herds = {size: active(numprocesses=size) for size in (10, 10_000)}
    best = dict.fromkeys(herds, float("inf"))
    for turn in range(30):
        for size, web in herds.items():
            start = perf_counter()
            for wid in range(1, 11):
                respawned(web, wid, 50.0 + 2 * turn)
            best[size] = min(best[size], perf_counter() - start)
    assert best[10_000] <= 3 * best[10], best


class Watched(OrderedDict[int, Slot]):
    """An index that counts what is taken out of it by running through it."""

    touched = 0

    def __iter__(self) -> Iterator[int]:
        for key in super().__iter__():
            Watched.touched += 1
            yield key

    def values(self) -> Any:
        return (self[key] for key in self)

    def items(self) -> Any:
        return ((key, self[key]) for key in self)


INDEXES = ("by_wid", "by_pid", "current", "outdated", "stopping")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_one_thing_touches_at_most_the_slots_it_is_about(
    act: Callable[[Watcher, int, float], None], size: int
) -> None:
    web = active(numprocesses=size)
    for name in INDEXES:
        setattr(web.state.slots, name, Watched(getattr(web.state.slots, name)))
    Watched.touched = 0
    act(web, 5, 50.0)
    assert Watched.touched <= 2


class TestTheCountingIsHonest:
    def test_a_scan_of_all_alarms_is_seen(self) -> None:
        costs = []
        for size in (10, 1000):
            web = active(numprocesses=size, max_age=1e6)
            costs.append(lines_run(partial(web.state.alarms.drop_idle, web.state.slots)))
        assert costs[1] > 50 * costs[0]

    def test_a_wish_that_concerns_all_is_seen(self) -> None:
        web = active(numprocesses=100)
        web.state.slots.current = Watched(web.state.slots.current)
        Watched.touched = 0
        step(web.state, [STOP], 50.0)
        assert Watched.touched == 100
