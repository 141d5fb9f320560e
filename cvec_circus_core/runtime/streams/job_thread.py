"""A thread for jobs that may take long, behind a queue of bounded size.

The event loop adds jobs, each with its weight in bytes, and looks at ``is_full`` before it takes
more in. The thread starts with the first job and ends when it has had nothing to do for a while,
so that a silent stream costs no thread. It is a daemon thread: one that hangs for ever does not
keep the program from ending.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable

from cvec_circus_core.system.processes.priority import precedence

log = logging.getLogger(__name__)

ROOM = 1 << 20
"""Bytes that wait at most, plus one piece."""

MOST = 8 * ROOM
"""The same, where it is what processes have written before they ended."""

IDLE = 10.0
"""Seconds without work after which the thread ends."""

_STACK = 512 * 1024

Job = Callable[[], None]


class JobThread:
    """Does jobs one after the other, off the loop."""

    def __init__(
        self, name: str, loop: asyncio.AbstractEventLoop, on_room: Callable[[], None]
    ) -> None:
        self.name = name
        self._loop = loop
        self._on_room = on_room
        self._changed = threading.Condition()
        self._jobs: deque[tuple[Job, int]] = deque()
        self._weight = 0
        self.done = 0
        """Weight of all jobs that were done so far."""
        self._thread: threading.Thread | None = None
        self._starved = False
        self._is_busy = False

    @property
    def is_full(self) -> bool:
        """Whether nothing should be added for now; ``on_room`` tells in the loop when it may."""
        if self._weight < ROOM:
            return False
        with self._changed:
            self._starved = self._weight >= ROOM
            return self._starved

    @property
    def is_far_behind(self) -> bool:
        """Whether not even the last output of a process that has ended should be added."""
        return self._weight >= MOST

    @property
    def waiting(self) -> int:
        """Bytes that wait, or are being worked on."""
        return self._weight

    @property
    def is_idle(self) -> bool:
        """Whether everything that was added is done."""
        with self._changed:
            return not self._jobs and not self._is_busy

    def add(self, job: Job, weight: int = 0) -> None:
        """Do a job after those that were added before. A job must not raise."""
        with self._changed:
            self._jobs.append((job, weight))
            self._weight += weight
            if self._thread is None:
                self._start()
            else:
                self._changed.notify()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        usual = threading.stack_size(_STACK)
        try:
            self._thread.start()
        except BaseException:
            self._thread = None
            raise
        finally:
            threading.stack_size(usual)

    def _run(self) -> None:
        precedence.join()
        while (entry := self._next()) is not None:
            job, weight = entry
            try:
                job()
            except BaseException:
                log.exception("%s: a piece of work failed; the others go on", self.name)
            del entry, job
            self._finished(weight)

    def _next(self) -> tuple[Job, int] | None:
        with self._changed:
            if not self._jobs and not self._changed.wait_for(lambda: self._jobs, IDLE):
                self._thread = None
                return None
            self._is_busy = True
            return self._jobs.popleft()

    def _finished(self, weight: int) -> None:
        with self._changed:
            self._is_busy = False
            self._weight -= weight
            self.done += weight
            if not self._starved or self._weight > ROOM // 2:
                return
            self._starved = False
        try:
            self._loop.call_soon_threadsafe(self._on_room)
        except RuntimeError:
            return  # the loop has ended, nobody waits for room any more
