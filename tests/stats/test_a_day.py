"""A day of samples in fast motion: nothing grows while a hundred thousand processes come and go."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
from collections import deque
from typing import Any

import psutil
import pytest

from cvec_circus_core.system.clock import SystemClock
from cvec_circus_core.system.fakes import FakeClock
from cvec_circus_core.system.stats.census import Census
from cvec_circus_core.system.stats.usage import Details, Usage
from cvec_circus_plugins.stats.process_list import ProcessList
from cvec_circus_plugins.stats.sampler import Sampler, Sources
from cvec_circus_plugins.stats.sampling_timer import SamplingTimer

DAY = 86_400
LIVES = 100_000
AT_ONCE = 4
"""Processes that live at the same time; each has a child."""
WATCHERS = ("web", "Db.Main")
DAEMON = 1


class Machine:
    """A process table whose processes work for a while and go, each after a child of its own.

    Numbers are used again after some thousand processes, as a machine does it.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.born: dict[int, float] = {}
        self.parents: dict[int, int] = {}
        self.queue: deque[int] = deque()
        self.lives = 0

    def live(self) -> None:
        """Let as many be born as the hour has, and the oldest go."""
        while self.lives < LIVES * (self.clock.now() + 1) / DAY:
            self.lives += 1
            pid = 100 + 2 * (self.lives % 4000)
            for one, parent in ((pid, DAEMON), (pid + 1, pid)):
                self.born[one], self.parents[one] = self.clock.now(), parent
            self.queue.append(pid)
            if len(self.queue) > AT_ONCE:
                gone = self.queue.popleft()
                for one in (gone, gone + 1):
                    del self.born[one], self.parents[one]

    def pids(self) -> list[int]:
        return [DAEMON, *self.born]

    def pulse(self, pid: int) -> float | None:
        if pid == DAEMON:
            return 1.0
        born = self.born.get(pid)
        return None if born is None else pid % 3 * 0.25 * (self.clock.now() - born)

    def usage(self, pid: int) -> Usage | None:
        used = self.pulse(pid)
        if used is None:
            return None
        born = self.clock.wall() - self.clock.now() + self.born.get(pid, 0.0)
        return Usage("x", "sleeping", self.parents.get(pid, 0), used, 0, 1, 4096, 8192, born)

    def details(self, pid: int) -> Details:
        return Details("x", 0)

    def descriptors(self, pid: int) -> int | None:
        return 3

    def proportional(self, pid: int) -> int | None:
        return None


class Heard:
    """An audience that counts."""

    def __init__(self) -> None:
        self.processes = 0
        self.topics: set[str] = set()

    def wants(self, group: str) -> bool:
        return group != "sockets"

    def send(self, topic: str, body: bytes) -> None:
        self.processes += topic[-1].isdigit()
        if len(self.topics) < 100:
            self.topics.add(topic)


class Nothing:
    """No numbers of others, and no sockets."""

    async def of(self, subjects: list[Any]) -> dict[int, Any]:
        return {}

    async def sample(self) -> list[Any]:
        return []


class Day:
    """The whole of the sampling on a clock of ours."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.machine = Machine(self.clock)
        self.heard = Heard()
        self.samples = 0
        self.census = Census(self.clock, table=self.machine)
        sources = Sources(ProcessList(self._ask, DAEMON), self.census, Nothing(), Nothing())
        self.sampler = Sampler(sources, self.heard)
        self.timer = SamplingTimer(self.clock, 1.0, self._begin)
        self.is_due = False

    async def _ask(self, command: str, since: int | None = None) -> dict[str, Any]:
        if since == self.machine.lives:
            return {"status": "ok", "changes": since}
        watchers: dict[str, dict[str, int]] = {name: {} for name in WATCHERS}
        for number, pid in enumerate(self.machine.queue):
            watchers[WATCHERS[number % 2]][str(pid)] = number
        return {
            "status": "ok",
            "changes": self.machine.lives,
            "daemon": DAEMON,
            "watchers": watchers,
        }

    def _begin(self) -> None:
        self.is_due = True

    async def run(self, seconds: int) -> None:
        """Let time pass, with a sample whenever one is due."""
        for _ in range(seconds):
            self.machine.live()
            if self.is_due:
                self.is_due = False
                await self.sampler.sample()
                self.samples += 1
                self.timer.finish(0.001)
            self.clock.advance(1.0)

    def size(self) -> tuple[int, int]:
        """Return how many things there are in memory, and how much of it is in use."""
        gc.collect()
        return len(gc.get_objects()), psutil.Process().memory_info().rss


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_nothing_grows_in_a_day() -> None:
    day = Day()
    day.timer.set_wanted(True)

    async def live() -> tuple[tuple[int, int], tuple[int, int]]:
        await day.run(DAY // 20)
        early = day.size()
        await day.run(DAY - DAY // 20)
        return early, day.size()

    early, late = asyncio.run(live())
    assert day.samples == DAY
    assert day.machine.lives == LIVES
    assert day.heard.processes > DAY * AT_ONCE
    assert {"web", "db.main", "circus", "circus.1"} <= day.heard.topics
    assert late[0] - early[0] < 300
    assert late[1] - early[1] < 2_000_000
    assert len(day.census._known) <= 2 * AT_ONCE + 3
    assert day.clock.pending() + day.is_due == 1
    day.timer.set_wanted(False)
    assert day.clock.pending() == 0


def test_real_processes_leave_nothing_behind() -> None:
    census = Census(SystemClock())
    me = psutil.Process()

    def lives(count: int) -> None:
        for _ in range(count // 20):
            some = [subprocess.Popen(["sleep", "30"]) for _ in range(20)]
            readings = census.read([one.pid for one in some])
            assert len(readings) == 20
            for one in some:
                one.kill()
                one.wait(10)
            assert census.read([one.pid for one in some]) == {}

    lives(60)
    known, descriptors = len(census._known), me.num_fds()
    lives(300)
    assert me.num_fds() == descriptors
    assert len(census._known) <= known
    assert os.getpid() not in census._known
