"""The worlds in which the contract of `Processes` and `Clock` is tried: one fake, two real."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.clock import AsyncioClock
from cvec_circus_core.system.fakes import Behaviour, FakeClock, FakeProcesses
from cvec_circus_core.system.processes.descriptors import open_descriptors
from cvec_circus_core.system.processes.exit_watch import has_pidfds
from cvec_circus_core.system.processes.local import (
    LocalProcesses,
    pidfd_processes,
    thread_processes,
)

LIMIT = 30.0
TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)

SCRIPTS = {
    "runs": "echo ready; exec sleep 60",
    "exits with 0": "exit 0",
    "exits with 3": "exit 3",
    "ignores SIGTERM": "trap '' TERM; echo ready; exec sleep 60",
    "leaves a child": "sleep 60 & exit 0",
    "leaves a stubborn child": "(trap '' TERM; echo ready; exec sleep 60) & exit 0",
    "has a child": "sleep 60 & echo ready; wait",
}
BEHAVIOURS = {
    "runs": Behaviour(),
    "exits with 0": Behaviour(exits_after=0.01),
    "exits with 3": Behaviour(exits_after=0.01, code=3),
    "ignores SIGTERM": Behaviour(ignores=frozenset({TERM})),
    "leaves a child": Behaviour(exits_after=0.01, leaves=1),
    "leaves a stubborn child": Behaviour(exits_after=0.01, leaves_stubborn=1),
    "has a child": Behaviour(),
}


class FakeWorld:
    """Everything in memory."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.processes = FakeProcesses(self.clock, behave=self._behave)

    def plan(self, kind: str) -> LaunchPlan:
        return LaunchPlan(argv=(kind,), env={})

    def broken_plan(self) -> LaunchPlan:
        return LaunchPlan(argv=("/no/such/program",), env={})

    def until(self, fact: Callable[[], bool]) -> None:
        for _ in range(int(LIMIT / 0.01)):
            self.processes.deliver()
            if fact():
                return
            self.clock.advance(0.01)
        raise AssertionError(f"not so after {LIMIT} s")

    def settle(self, kind: str) -> None:
        self.processes.deliver()

    def close(self) -> None:
        assert self.clock.pending() == 0

    def _behave(self, plan: LaunchPlan) -> Behaviour:
        program = plan.argv[0]
        if program in BEHAVIOURS:
            return BEHAVIOURS[program]
        return Behaviour(refuses=f"can not start {program!r}: there is no such program")


class RealWorld:
    """Real processes under a real event loop."""

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], LocalProcesses], tmp: Path):
        self._before = (open_descriptors(), set(threading.enumerate()), _children())
        self.loop = asyncio.new_event_loop()
        self.clock = AsyncioClock(self.loop)
        self.processes = make(self.loop)
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._tmp = tmp

    def plan(self, kind: str) -> LaunchPlan:
        return LaunchPlan(
            argv=("/bin/sh", "-c", SCRIPTS[kind]),
            env={"PATH": os.environ["PATH"]},
            stdout=self._write,
        )

    def broken_plan(self) -> LaunchPlan:
        return LaunchPlan(argv=("/no/such/program",), env={})

    def until(self, fact: Callable[[], bool]) -> None:
        ends_at = self.clock.now() + LIMIT
        while not fact():
            assert self.clock.now() < ends_at, f"not so after {LIMIT} s"
            self.loop.call_later(0.002, self.loop.stop)
            self.loop.run_forever()

    def settle(self, kind: str) -> None:
        """Wait until a script that says so is ready."""
        if "ready" in SCRIPTS[kind]:
            self.until(self._is_said)

    def close(self) -> None:
        self.processes.close()
        self.until(lambda: not set(threading.enumerate()) - self._before[1])
        self.loop.close()
        os.close(self._read)
        os.close(self._write)
        assert open_descriptors() == self._before[0]
        assert _children() <= self._before[2]  # no child and no zombie is left

    def _is_said(self) -> bool:
        try:
            return bool(os.read(self._read, 6))
        except BlockingIOError:
            return False


def _children() -> set[tuple[int, float]]:
    """Return the children of this process, zombies too; other tests may have some of their own."""
    return {(one.pid, one.create_time()) for one in psutil.Process().children()}


World = FakeWorld | RealWorld
_WORLDS = ["fake", "pidfd", "thread"]


@pytest.fixture(params=_WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made: World
    match request.param:
        case "fake":
            made = FakeWorld()
        case "pidfd":
            if not has_pidfds():
                pytest.skip("this kernel has no pidfds")
            made = RealWorld(pidfd_processes, tmp_path)
        case _:
            made = RealWorld(thread_processes, tmp_path)
    yield made
    made.close()


class Ends:
    """Collects what is told about ends."""

    def __init__(self) -> None:
        self.told: list[tuple[int, Exit]] = []

    def __call__(self, pid: int, ended: Exit) -> None:
        self.told.append((pid, ended))

    def codes(self) -> list[int | None]:
        return [ended.code for _, ended in self.told]


@pytest.fixture
def ends() -> Ends:
    return Ends()
