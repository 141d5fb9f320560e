"""The only place that asks what time it is."""

from __future__ import annotations

import os
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable


class SystemClock:
    """The machine's time, for those who have no event loop and wait for nothing."""

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Return Unix time."""
        return time.time()

    def wait(self, seconds: float, then: Callable[[], None]) -> Callable[[], None]:
        """Refuse: nobody would call back."""
        raise TypeError("there is no event loop to wait in")


class AsyncioClock:
    """The machine's time, with waits kept by an event loop.

    The loop's own clock is ``time.monotonic`` too, so a wait of ``at - clock.now()`` seconds ends
    at ``at``.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Return Unix time."""
        return time.time()

    def wait(self, seconds: float, then: Callable[[], None]) -> Callable[[], None]:
        """Call ``then`` in the loop after some seconds; return what cancels it."""
        return self._loop.call_later(max(0.0, seconds), then).cancel


def thread_seconds() -> float:
    """Return the processor time that the calling thread has used."""
    return time.thread_time()


def boot_nanoseconds() -> int:
    """Return nanoseconds of a clock that goes on while the machine sleeps (Linux)."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def moment_of_start(ticks: float) -> float:
    """Return the monotonic moment of a process's start, which Linux tells in ticks since boot."""
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


def unix_time() -> float:
    """Return Unix time, for those who were given no clock."""
    return time.time()
