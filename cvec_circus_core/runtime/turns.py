"""Work in turns: many small jobs, run a few milliseconds at a time.

A thousand spawns or signals take most of a second. Done in one go they would keep the loop from
answering anybody; here each turn lasts `TURN` seconds at most (and one job), then requests, deaths
and deadlines have their say.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

TURN = 0.002
"""Seconds."""

Job = Callable[[], None]


class Turns:
    """A queue of jobs that shares the event loop fairly."""

    def __init__(self, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self._clock = clock
        self._loop = loop
        self._jobs: deque[Job] = deque()
        self._scheduled = False

    def add(self, job: Job) -> None:
        """Run a job soon, after those that were added before it."""
        self._jobs.append(job)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        end = self._clock.now() + TURN
        while self._jobs:
            job = self._jobs.popleft()
            try:
                job()
            except Exception:
                log.exception("a piece of work failed; the others go on")
            if self._clock.now() >= end:
                break
        self._scheduled = bool(self._jobs)
        if self._scheduled:
            self._loop.call_soon(self._take_turn)
