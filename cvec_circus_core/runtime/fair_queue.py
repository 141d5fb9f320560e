"""Work in turns: many small jobs, run a few milliseconds at a time.

A thousand spawns or signals take most of a second. Done in one go they would keep the loop from
answering anybody; here each turn lasts `TURN` seconds at most (and one job), then requests, exits
and deadlines have their say.

A spawn keeps the loop until the child has got as far as its program, and when a crowd has just died
that takes long: hundreds of ends stand before the child in the queues of the processors, and 60 ms
were seen. So exits go before other jobs, which wait for them up to `PATIENCE`; and where the
processors have no time, spawns wait for `EXIT_POLL` after an exit, to see whether more have ended,
and for `EXIT_GRACE` after a crowd has. It takes no longer until all are back: room has to be made
for their ends anyway.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable

from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

TURN = 0.002
PATIENCE = 0.1
EXIT_POLL = 0.005
EXIT_GRACE = 0.4
LOOK_AGAIN = 0.002
"""Seconds, all of them."""

CROWD = 32
"""So many exits within `EXIT_GRACE` seconds are a crowd."""

Job = Callable[[], None]


class FairQueue:
    """A queue of jobs that shares the event loop fairly.

    ``runnable`` tells how many tasks of the machine have or want a processor.
    """

    def __init__(
        self, clock: Clock, loop: asyncio.AbstractEventLoop, runnable: Callable[[], int]
    ) -> None:
        self._clock = clock
        self._loop = loop
        self._runnable = runnable
        self._at_ease = 2 * (os.cpu_count() or 1)
        self._jobs: deque[tuple[float, Job]] = deque()
        """With the moment until which each waits for exits."""
        self._exits: deque[Job] = deque()
        self._spawns: deque[Job] = deque()
        self._recent: deque[float] = deque(maxlen=CROWD)
        self._spawn_holdoff_until = 0.0
        self._next_crowd_at = 0.0
        self._scheduled = False

    def add(self, job: Job) -> None:
        """Run a job soon, after those that were added before it."""
        self._jobs.append((self._clock.now() + PATIENCE, job))
        self._schedule()

    def add_spawn(self, job: Job) -> None:
        """Run a job that starts a process."""
        self._spawns.append(job)
        self._schedule()

    def add_exit(self, job: Job) -> None:
        """Run a job that takes in the end of a process."""
        now = self._clock.now()
        self._recent.append(now)
        is_crowd = len(self._recent) == CROWD and now - self._recent[0] < EXIT_GRACE
        if is_crowd and now >= self._next_crowd_at:
            self._spawn_holdoff_until = now + EXIT_GRACE
            self._next_crowd_at = now + 2 * EXIT_GRACE
        elif now >= self._spawn_holdoff_until + EXIT_POLL:
            self._spawn_holdoff_until = now + EXIT_POLL
        self._exits.append(job)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        now = self._clock.now()
        end = now + TURN
        while jobs := self._next(now):
            for job in jobs:
                try:
                    job()
                except Exception:
                    log.exception("a piece of work failed; the others go on")
            now = self._clock.now()
            if now >= end:
                break
        self._scheduled = False
        if self._exits or self._jobs or (self._spawns and jobs):
            self._schedule()
        elif self._spawns:
            self._scheduled = True
            self._clock.wait(LOOK_AGAIN, self._take_turn)

    def _next(self, now: float) -> list[Job]:
        """Take what comes next: of each kind at most one, and perhaps nothing."""
        jobs: list[Job] = []
        if self._exits:
            jobs.append(self._exits.popleft())
        if self._jobs and (not jobs or self._jobs[0][0] <= now):
            jobs.append(self._jobs.popleft()[1])
        if self._spawns and self._may_spawn(now):
            jobs.append(self._spawns.popleft())
        return jobs

    def _may_spawn(self, now: float) -> bool:
        if now >= self._spawn_holdoff_until:
            return True
        return not self._exits and self._runnable() <= self._at_ease
