"""What every `Processes` does, the real ones and the fake."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from cvec_circus_core.model.errors import CannotSpawn
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.system.protocols import Scope

pytestmark = pytest.mark.live

TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)


@pytest.mark.parametrize(("kind", "code"), [("exits with 0", 0), ("exits with 3", 3)])
def test_an_end_is_told_once_with_its_code(world: Any, ends: Any, kind: str, code: int) -> None:
    pid = world.processes.spawn(world.plan(kind), ends)
    assert world.processes.alive() == {pid}
    assert ends.told == []
    world.until(lambda: bool(ends.told))
    world.until(lambda: not world.processes.alive())
    assert ends.told == [(pid, Exit(code))]


@pytest.mark.parametrize("scope", [Scope.PROCESS, Scope.TREE])
@pytest.mark.parametrize("signum", [TERM, KILL])
def test_a_signal_ends_a_process(world: Any, ends: Any, signum: int, scope: Scope) -> None:
    pid = world.processes.spawn(world.plan("runs"), ends)
    world.settle("runs")
    assert world.processes.signal(pid, signum, scope) is True
    world.until(lambda: bool(ends.told))
    assert ends.told == [(pid, Exit(-signum))]


def test_an_end_is_never_told_inside_the_call_that_caused_it(world: Any, ends: Any) -> None:
    pid = world.processes.spawn(world.plan("runs"), ends)
    world.processes.signal(pid, KILL)
    assert ends.told == []
    assert world.processes.alive() == {pid}
    world.until(lambda: bool(ends.told))


def test_the_ended_and_the_unknown_get_no_signal(world: Any, ends: Any) -> None:
    pid = world.processes.spawn(world.plan("exits with 0"), ends)
    world.until(lambda: bool(ends.told))
    for scope in Scope:
        assert world.processes.signal(pid, TERM, scope) is False
        assert world.processes.signal(pid + 100_000, TERM, scope) is False


def test_who_ignores_the_stop_signal_dies_of_kill(world: Any, ends: Any) -> None:
    pid = world.processes.spawn(world.plan("ignores SIGTERM"), ends)
    world.settle("ignores SIGTERM")
    assert world.processes.signal(pid, TERM) is True
    waited: list[bool] = []
    world.clock.wait(0.1, lambda: waited.append(True))
    world.until(lambda: bool(waited))
    assert ends.told == []
    assert world.processes.signal(pid, KILL) is True
    world.until(lambda: bool(ends.told))
    assert ends.codes() == [-KILL]


def test_a_childless_process_has_no_children_to_signal(world: Any, ends: Any) -> None:
    pid = world.processes.spawn(world.plan("runs"), ends)
    world.settle("runs")
    assert world.processes.signal(pid, TERM, Scope.CHILDREN) is False
    for stranger in (pid, pid + 100_000, 1):
        assert world.processes.signal_child(pid, stranger, TERM) is False
    assert world.processes.signal_child(pid + 100_000, pid, TERM) is False
    world.processes.signal(pid, KILL)
    world.until(lambda: bool(ends.told))


def test_what_can_not_start_says_so_and_leaves_nothing(world: Any, ends: Any) -> None:
    with pytest.raises(CannotSpawn, match="can not start '/no/such/program': there is no such"):
        world.processes.spawn(world.broken_plan(), ends)
    assert world.processes.alive() == frozenset()
    assert ends.told == []


def test_many_that_are_killed_at_once_are_all_told(world: Any, ends: Any) -> None:
    pids = {world.processes.spawn(world.plan("runs"), ends) for _ in range(200)}
    assert world.processes.alive() == pids
    for pid in pids:
        world.processes.signal(pid, KILL)
    world.until(lambda: len(ends.told) == 200)
    assert {pid for pid, _ in ends.told} == pids
    assert set(ends.codes()) == {-KILL}
    assert world.processes.alive() == frozenset()


@pytest.mark.parametrize("kind", ["leaves a child", "leaves a stubborn child"])
def test_what_is_left_behind_is_told_and_swept(world: Any, ends: Any, kind: str) -> None:
    pid = world.processes.spawn(world.plan(kind), ends)
    world.until(lambda: bool(ends.told))
    world.settle(kind)
    assert ends.told == [(pid, Exit(0, left_behind=True))]
    swept: list[int] = []
    world.processes.sweep(pid, TERM, 0.2, swept.append)
    assert swept == []
    world.until(lambda: bool(swept))
    assert swept == [pid]


def test_a_sweep_of_nothing_is_told_later_and_at_once(world: Any, ends: Any) -> None:
    pid = world.processes.spawn(world.plan("exits with 0"), ends)
    world.until(lambda: bool(ends.told))
    swept: list[int] = []
    world.processes.sweep(pid, TERM, 60.0, swept.append)
    assert swept == []
    world.until(lambda: bool(swept))
    assert swept == [pid]
