"""What the fakes offer to tests beyond the contract."""

from __future__ import annotations

import signal

import pytest

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan, Stdio
from cvec_circus_core.system.fakes import Behaviour, FakeClock, FakeProcesses
from cvec_circus_core.system.protocols import Scope, SpawnResult
from tests.spawned import spawned

PLAN = LaunchPlan(argv=("worker",), env={})
TERM = signal.SIGTERM


@pytest.fixture
def told() -> list[tuple[int, Exit]]:
    return []


@pytest.fixture
def processes() -> FakeProcesses:
    return FakeProcesses(FakeClock())


def spawn(processes: FakeProcesses, told: list[tuple[int, Exit]]) -> int:
    return spawned(processes, PLAN, lambda pid, ended: told.append((pid, ended)))


def test_it_remembers_what_was_asked(
    processes: FakeProcesses, told: list[tuple[int, Exit]]
) -> None:
    first, second = spawn(processes, told), spawn(processes, told)
    processes.signal(first, TERM, Scope.TREE)
    assert (first, second) == (1000, 1001)
    assert processes.plans == {first: PLAN, second: PLAN}
    assert processes.signals == [(first, TERM, Scope.TREE)]
    assert processes.deliver() == 1
    assert told == [(first, Exit(-TERM))]


def test_a_slow_one_goes_in_its_time(
    processes: FakeProcesses, told: list[tuple[int, Exit]]
) -> None:
    processes.behaviour = Behaviour(dies_in=3.0)
    pid = spawn(processes, told)
    processes.signal(pid, TERM)
    processes.clock.advance(2.9)
    assert processes.deliver() == 0
    processes.clock.advance(0.2)
    assert processes.deliver() == 1
    assert processes.clock.pending() == 0


def test_kill_overtakes_a_slow_end(processes: FakeProcesses, told: list[tuple[int, Exit]]) -> None:
    processes.behaviour = Behaviour(dies_in=3.0)
    pid = spawn(processes, told)
    processes.signal(pid, TERM)
    processes.signal(pid, signal.SIGKILL)
    processes.deliver()
    processes.clock.advance(10)
    processes.deliver()
    assert told == [(pid, Exit(-signal.SIGKILL))]


def test_a_crash_is_told_like_any_end(
    processes: FakeProcesses, told: list[tuple[int, Exit]]
) -> None:
    pid = spawn(processes, told)
    processes.crash(pid, -signal.SIGSEGV)
    processes.crash(pid, 1)
    processes.deliver()
    assert told == [(pid, Exit(-signal.SIGSEGV))]


def test_a_spawn_can_be_refused(processes: FakeProcesses, told: list[tuple[int, Exit]]) -> None:
    processes.behaviour = Behaviour(refuses="there is no such program")
    results: list[SpawnResult] = []
    processes.spawn(PLAN, Stdio(), results.append, lambda pid, ended: told.append((pid, ended)))
    assert results == [SpawnResult(None, "there is no such program")]
    assert processes.plans == {}


def test_waits_that_were_cancelled_are_forgotten() -> None:
    clock = FakeClock()
    cancels = [clock.wait(float(number), lambda: None) for number in range(100)]
    for cancel in cancels:
        cancel()
    assert clock.pending() == 0
    clock.advance(1000)
    assert clock.now() == 1000
    assert clock._cancelled == set()
