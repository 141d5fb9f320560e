"""A brain that does not answer is told of, unless it could not have answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cvec_circus_core.keeper.brain_watch import BrainWatch
from cvec_circus_core.system import proc

PATIENCE = 8.0
INTERVAL = 2.0


class Timer:
    """One call that is due."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        """Do not call."""
        self.is_cancelled = True


class Loop:
    """A clock and its timers, moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        """Return monotonic seconds."""
        return self.now

    def call_at(self, at: float, call: Callable[[], None]) -> Timer:
        """Call at a moment."""
        self.timers.append(Timer(at, call))
        return self.timers[-1]

    def go(self, seconds: float, late: float = 0.0) -> None:
        """Let time pass, each timer being late by so much."""
        end = self.now + seconds
        while due := [timer for timer in self.timers if not timer.is_cancelled and timer.at <= end]:
            timer = min(due, key=lambda timer: timer.at)
            self.timers.remove(timer)
            self.now = max(self.now, timer.at + late)
            timer.call()
        self.now = max(self.now, end)


class Brain:
    """What /proc tells of the brain."""

    def __init__(self) -> None:
        self.state = b"S"
        self.cpu_time = 5
        self.uses_cpu = False
        self.tracer = 0

    def read_stat(self, pid: int) -> proc.Stat:
        """Return its line."""
        self.cpu_time += self.uses_cpu
        words = [self.state, *[b"0"] * 10, b"%d" % self.cpu_time, b"1"]
        return proc.Stat(b"python", words)

    def read(self, pid: int, file: str) -> bytes:
        """Return its file ``status``."""
        return b"Name:\tpython\nTracerPid:\t%d\nUid:\t0\n" % self.tracer


class Bench:
    """A watch with all around it."""

    def __init__(self) -> None:
        self.loop, self.brain = Loop(), Brain()
        self.silences: list[float] = []
        self.answers = True
        loop: Any = self.loop
        self.watch = BrainWatch(loop, self._ask, self.silences.append)
        self.watch.patience = PATIENCE
        self.watch.begin(7)

    def _ask(self, number: int) -> None:
        if self.answers:
            self.watch.answered(number)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench()
    monkeypatch.setattr(proc, "read_stat", bench.brain.read_stat)
    monkeypatch.setattr(proc, "read_or_none", bench.brain.read)
    return bench


def test_one_that_answers_is_let_alone(bench: Bench) -> None:
    bench.loop.go(1000)
    assert bench.silences == []


@pytest.mark.parametrize("state", [b"S", b"T"])
def test_one_that_sleeps_or_is_stopped_is_told_of_once(bench: Bench, state: bytes) -> None:
    bench.loop.go(100)
    bench.answers, bench.brain.state = False, state
    bench.loop.go(PATIENCE - INTERVAL)
    assert bench.silences == []
    bench.loop.go(2 * INTERVAL)
    assert bench.silences == [PATIENCE]
    bench.loop.go(1000)
    assert len(bench.silences) == 1


def test_one_that_runs_in_circles_is_told_of(bench: Bench) -> None:
    bench.answers, bench.brain.state, bench.brain.uses_cpu = False, b"R", True
    bench.loop.go(PATIENCE + 2 * INTERVAL)
    assert bench.silences == [PATIENCE]


@pytest.mark.parametrize(("state", "tracer"), [(b"R", 0), (b"D", 0), (b"t", 99), (b"S", 99)])
def test_one_that_could_not_answer_is_let_alone(bench: Bench, state: bytes, tracer: int) -> None:
    bench.answers, bench.brain.state, bench.brain.tracer = False, state, tracer
    bench.loop.go(1000)
    assert bench.silences == []


def test_silence_does_not_count_while_the_keeper_itself_was_late(bench: Bench) -> None:
    bench.answers = False
    bench.loop.go(1000, late=INTERVAL)
    assert bench.silences == []


def test_an_answer_ends_the_silence(bench: Bench) -> None:
    for _ in range(20):
        bench.answers = False
        bench.loop.go(PATIENCE - INTERVAL)
        bench.watch.answered(bench.watch._number)
        bench.answers = True
        bench.loop.go(INTERVAL)
    assert bench.silences == []


def test_without_patience_nobody_is_asked(bench: Bench) -> None:
    bench.watch.patience = 0.0
    bench.watch.begin(8)
    assert all(timer.is_cancelled for timer in bench.loop.timers)
