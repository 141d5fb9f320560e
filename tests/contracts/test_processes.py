"""What every `Processes` does: the real ones, the fakes, and those of a keeper."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import Any

import pytest

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import Served
from cvec_circus_core.system.protocols import ORPHANS, Scope, SignalResult

pytestmark = pytest.mark.live

TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)
SENT, NOBODY = SignalResult(True), SignalResult(False)


@pytest.mark.parametrize(("kind", "code"), [("exits with 0", 0), ("exits with 3", 3)])
def test_an_end_is_told_once_with_its_code(world: Any, ends: Any, kind: str, code: int) -> None:
    pid = world.spawn(kind, ends)
    world.until(lambda: bool(ends.told))
    world.until(lambda: not world.processes.alive())
    assert ends.told == [(pid, Exit(code))]


def test_the_pid_is_told_before_the_end(world: Any, ends: Any) -> None:
    for _ in range(20):
        world.spawn("exits with 0", ends)
        world.until(lambda: "ended" in ends.order)
        assert ends.order == ["spawned", "ended"]
        ends.order.clear()


@pytest.mark.parametrize("scope", [Scope.PROCESS, Scope.FAMILY, Scope.TREE])
@pytest.mark.parametrize("signum", [TERM, KILL])
def test_a_signal_ends_a_process(world: Any, ends: Any, signum: int, scope: Scope) -> None:
    pid = world.spawn("runs", ends)
    world.settle("runs")
    assert world.signal(pid, signum, scope) == SENT
    world.until(lambda: bool(ends.told))
    assert ends.told == [(pid, Exit(-signum))]


def test_an_end_is_never_told_inside_the_call_that_caused_it(world: Any, ends: Any) -> None:
    pid = world.spawn("runs", ends)
    world.processes.signal(pid, KILL)
    assert ends.told == []
    assert world.processes.alive() == {pid}
    assert pid in world.processes
    world.until(lambda: bool(ends.told))
    assert pid not in world.processes


def test_the_ended_and_the_unknown_get_no_signal(world: Any, ends: Any) -> None:
    pid = world.spawn("exits with 0", ends)
    world.until(lambda: bool(ends.told))
    for scope in Scope:
        assert world.signal(pid, TERM, scope) == NOBODY
        assert world.signal(pid + 100_000, TERM, scope) == NOBODY


def test_who_ignores_the_stop_signal_dies_of_kill(world: Any, ends: Any) -> None:
    pid = world.spawn("ignores SIGTERM", ends)
    world.settle("ignores SIGTERM")
    assert world.signal(pid, TERM) == SENT
    waited: list[bool] = []
    world.clock.wait(0.1, lambda: waited.append(True))
    world.until(lambda: bool(waited))
    assert ends.told == []
    assert world.signal(pid, KILL) == SENT
    world.until(lambda: bool(ends.told))
    assert ends.codes() == [-KILL]


def test_a_childless_process_has_no_children_to_signal(world: Any, ends: Any) -> None:
    pid = world.spawn("runs", ends)
    world.settle("runs")
    assert world.signal(pid, TERM, Scope.CHILDREN) == NOBODY
    to_child = world.processes.signal_child
    for stranger in (pid, pid + 100_000, 1):
        assert world.answer_of(partial(to_child, pid, stranger, TERM)) == NOBODY
    assert world.answer_of(partial(to_child, pid + 100_000, pid, TERM)) == NOBODY
    world.processes.signal(pid, KILL)
    world.until(lambda: bool(ends.told))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is seen in /proc")
def test_it_is_told_once_when_a_process_waits_on_its_socket(world: Any, ends: Any) -> None:
    opened = world.sockets.open(world.bind_plan("web"))
    world.sockets.keep(opened.number)
    pid, told = world.spawn_server(ends), []
    served = Served(ports=frozenset({opened.port}))
    world.processes.tell_when_serving(pid, served, told.append)
    assert told == []
    world.serve(pid)
    world.until(lambda: told == [pid])
    world.processes.signal(pid, KILL)
    world.until(lambda: bool(ends.told))
    assert told == [pid]


def test_of_one_that_ended_it_is_not_told_that_it_serves(world: Any, ends: Any) -> None:
    opened = world.sockets.open(world.bind_plan("web"))
    world.sockets.keep(opened.number)
    pid, told = world.spawn_server(ends), []
    served = Served(ports=frozenset({opened.port}))
    world.processes.tell_when_serving(pid, served, told.append)
    world.processes.signal(pid, KILL)
    world.until(lambda: bool(ends.told))
    world.processes.tell_when_serving(pid, served, told.append)
    assert told == []


def test_who_serves_nobody_gets_the_signal_when_idle(world: Any, ends: Any) -> None:
    pid = world.spawn("runs", ends)
    world.settle("runs")
    served = Served(ports=frozenset({1}))
    send = partial(world.processes.signal_when_idle, pid, TERM, Scope.PROCESS, served, 20.0)
    assert world.answer_of(send) == SENT
    world.until(lambda: bool(ends.told))
    assert ends.codes() == [-TERM]
    assert world.answer_of(send) == NOBODY


def test_what_can_not_start_says_so_and_leaves_nothing(world: Any, ends: Any) -> None:
    result = world.try_to_spawn(world.broken_plan(), ends)
    assert result.pid is None
    assert result.problem.startswith("can not start '/no/such/program': there is no such")
    assert not result.is_shortage
    assert world.processes.alive() == frozenset()
    assert ends.told == []


def test_whoever_refuses_spawns_starts_nobody(world: Any, ends: Any) -> None:
    pid = world.spawn("runs", ends)
    world.processes.refuse_spawns()
    result = world.try_to_spawn(world.plan("runs"), ends)
    assert (result.pid, result.problem) == (None, "the daemon is ending")
    assert world.processes.alive() == {pid}
    assert world.signal(pid, KILL) == SENT
    world.until(lambda: bool(ends.told))


def test_many_that_are_killed_at_once_are_all_told(world: Any, ends: Any) -> None:
    pids = {world.spawn("runs", ends) for _ in range(200)}
    assert world.processes.alive() == pids
    for pid in pids:
        world.processes.signal(pid, KILL)
    world.until(lambda: len(ends.told) == 200)
    assert {pid for pid, _ in ends.told} == pids
    assert set(ends.codes()) == {-KILL}
    assert world.processes.alive() == frozenset()


@pytest.mark.parametrize("kind", ["leaves a child", "leaves a stubborn child"])
def test_what_is_left_behind_is_told_and_stopped(world: Any, ends: Any, kind: str) -> None:
    pid = world.spawn(kind, ends)
    world.until(lambda: bool(ends.told))
    world.settle(kind)
    assert ends.told == [(pid, Exit(0, left_behind=True))]
    gone: list[int] = []
    world.processes.kill_leftovers(pid, TERM, 0.2, gone.append)
    assert gone == []
    world.until(lambda: bool(gone))
    assert gone == [pid]


def test_that_nothing_was_left_is_told_later_and_soon(world: Any, ends: Any) -> None:
    pid = world.spawn("exits with 0", ends)
    world.until(lambda: bool(ends.told))
    gone: list[int] = []
    world.processes.kill_leftovers(pid, TERM, 60.0, gone.append)
    assert gone == []
    world.until(lambda: bool(gone))
    assert gone == [pid]


def test_where_nobody_is_orphaned_that_is_told_later(world: Any, ends: Any) -> None:
    gone: list[int] = []
    world.processes.kill_orphans(TERM, 60.0, gone.append)
    assert gone == []
    world.until(lambda: bool(gone))
    assert gone == [ORPHANS]
