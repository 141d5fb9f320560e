"""Whether the brain still answers: one that hangs or was stopped is of no use, and is killed.

It is asked now and then, and answers from its event loop. Silence counts only while it could have
answered. It does not count

* while the machine is suspended, or so busy that the keeper itself was late;
* while the brain wants a processor and gets none, or waits for a disk;
* while a debugger is attached to it.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable

from cvec_circus_core.system import proc

_TIMES_ASKED = 4
"""How often it is asked within the patience that the keeper has."""
_SHORTEST = 0.05
_UTIME, _STIME = 11, 12

OnSilent = Callable[[float], None]
"""Takes the seconds for which a brain has not answered."""


class BrainWatch:
    """Asks one brain after another."""

    def __init__(
        self, loop: AbstractEventLoop, ask: Callable[[int], object], on_silent: OnSilent
    ) -> None:
        self.patience = 0.0
        """Seconds of silence that are too many, as the present brain says; 0 for any.

        One of an older version says nothing, and would not answer.
        """
        self._loop = loop
        self._ask = ask
        self._on_silent = on_silent
        self._pid = 0
        self._silence = 0.0
        self._number = self._answered = 0
        self._cpu_time = 0
        self._due_at = 0.0
        self._timer: TimerHandle | None = None

    def begin(self, pid: int) -> None:
        """Ask another brain from now on."""
        self.end()
        self._pid, self._silence, self._answered = pid, 0.0, self._number
        if self.patience > 0:
            self._wait()

    def answered(self, number: int) -> None:
        """Note an answer."""
        self._answered = number

    def end(self) -> None:
        """Ask nobody."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _interval(self) -> float:
        return max(_SHORTEST, self.patience / _TIMES_ASKED)

    def _wait(self) -> None:
        self._due_at = self._loop.time() + self._interval()
        self._timer = self._loop.call_at(self._due_at, self._look)

    def _look(self) -> None:
        interval = self._interval()
        was_late = self._loop.time() - self._due_at > interval / 2
        if self._answered == self._number:
            self._silence = 0.0
            self._number += 1
            self._ask(self._number)
        elif self._could_answer() and not was_late:
            self._silence += interval
        if self._silence >= self.patience:
            self._timer = None
            self._on_silent(self._silence)
        else:
            self._wait()

    def _could_answer(self) -> bool:
        status, stat = proc.read_or_none(self._pid, "status"), proc.read_stat(self._pid)
        if status is None or stat is None or b"\nTracerPid:\t0\n" not in status:
            return False
        before, self._cpu_time = self._cpu_time, int(stat.words[_UTIME]) + int(stat.words[_STIME])
        is_starved = stat.state == b"R" and self._cpu_time == before
        return not is_starved and stat.state != b"D"
