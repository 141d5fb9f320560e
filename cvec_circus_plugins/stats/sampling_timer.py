"""When samples are taken: at a fixed interval while somebody listens, and never else.

Shares of the processor are worth what the interval is worth, so a late sample does not move those
after it. A sample that takes long makes the interval longer: a little, while that
keeps the cost to some hundredths of a processor, because readers of the older system forget what
they have not heard of for three seconds; and as much as it takes to stay below a tenth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

TARGET_SHARE, LARGEST_SHARE = 0.02, 0.1
"""Of one processor: what is aimed at, and what is never passed."""
LONGEST_FOR_TARGET = 2.5
"""Seconds between two samples for the sake of the share that is aimed at."""


class Clock(Protocol):
    """The clock of the kernel, as far as it is needed here."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def wait(self, seconds: float, then: Callable[[], None]) -> Callable[[], None]:
        """Call ``then`` after some seconds; return what cancels it."""


class SamplingTimer:
    """Calls ``sample`` at the right moments; ``finish`` has to be called when one is done."""

    def __init__(self, clock: Clock, interval: float, sample: Callable[[], None]) -> None:
        self._clock = clock
        self._interval = interval
        self._sample = sample
        self._due = 0.0
        self._is_sampling = False
        self._is_wanted = False
        self._cancel: Callable[[], None] | None = None

    def set_wanted(self, is_wanted: bool) -> None:
        """Say whether anybody listens; the first sample comes at once."""
        if is_wanted and not self._is_wanted:
            self._is_wanted = True
            if not self._is_sampling:
                self._due = self._clock.now()
                self._begin()
        elif not is_wanted and self._is_wanted:
            self._is_wanted = False
            self._cancel_timer()

    def finish(self, cost: float) -> None:
        """Say that the sample is done, and how many seconds of a processor it took."""
        self._is_sampling = False
        if not self._is_wanted:
            return
        now = self._clock.now()
        # Who is later than a whole interval has lost the beat, and begins a new one.
        affordable = max(min(cost / TARGET_SHARE, LONGEST_FOR_TARGET), cost / LARGEST_SHARE)
        self._due = max(self._due + max(self._interval, affordable), now)
        self._cancel = self._clock.wait(self._due - now, self._begin)

    def _begin(self) -> None:
        self._cancel = None
        self._is_sampling = True
        self._sample()

    def _cancel_timer(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
