"""The daemon's own signals, heard in the event loop.

A signal that we do not want is given a handler that does nothing, never SIG_IGN: exec hands
"ignore" on to a child, and a handler it does not. What this process was started with (nohup ignores
SIGHUP, a shell's background job SIGINT) is treated the same way, so that children begin with a
clean slate and can be started the cheap way (launching.py).

asyncio's own handlers hear a signal by the byte that it puts into a socket, and lose it where that
is full: three hundred deaths while the loop is busy are enough, and the SIGTERM after them is never
heard. Python itself notes each kind of signal separately, so here the handlers that it calls do
the telling, and the byte only wakes the loop.
"""

from __future__ import annotations

import os
import signal
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from functools import partial
from types import FrameType
from typing import Any

from cvec_circus_core.system.processes.launcher import signals_to_reset

Heard = Callable[[], None]

_MANY = 65_536


class DaemonSignals:
    """Handlers of signals for as long as the daemon runs."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._before: dict[int, Any] = {}
        self._mask: set[int] = set()
        self._alarm_clock: tuple[int, int] | None = None
        """The pipe whose byte wakes the loop; there while the handlers are."""
        self._woken_before = -1
        self._is_told_of_deaths = False

    def install(self, handlers: Mapping[int, Heard]) -> bool:
        """Have these called, in the loop; False outside the main thread, where nothing is changed.

        SIGWINCH, and what was ignored so far, does nothing from now on.
        """
        if threading.current_thread() is not threading.main_thread():
            return False
        self._wind_up()
        for signum in {*signals_to_reset(), signal.SIGWINCH} - set(handlers):
            self._before[signum] = signal.signal(signum, _nothing)
        for signum, heard in handlers.items():
            self._before[signum] = signal.signal(signum, partial(self._tell, heard))
            signal.siginterrupt(signum, False)
        self._mask = set(signal.pthread_sigmask(signal.SIG_SETMASK, ()))
        return True

    def restore(self) -> None:
        """Put everything back as it was."""
        if self._alarm_clock is None:
            return
        for signum, handler in self._before.items():
            if handler is not None:  # None: it was set by something that is not Python
                signal.signal(signum, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._before.clear()
        signal.set_wakeup_fd(self._woken_before)
        self._loop.remove_reader(self._alarm_clock[0])
        for end in self._alarm_clock:
            os.close(end)
        self._alarm_clock = None

    def _wind_up(self) -> None:
        reading, writing = self._alarm_clock = os.pipe()
        for end in self._alarm_clock:
            os.set_blocking(end, False)
        self._loop.add_reader(reading, os.read, reading, _MANY)
        self._woken_before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def _tell(self, heard: Heard, signum: int, frame: FrameType | None) -> None:
        # In the middle of whatever the main thread does: only note it.
        if signum != signal.SIGCHLD:
            self._loop.call_soon_threadsafe(heard)
        elif not self._is_told_of_deaths:
            # Deaths come in crowds, and are counted elsewhere: one word for all of them will do.
            # This is the loop's thread, and the byte of the signal wakes the loop.
            self._is_told_of_deaths = True
            self._loop.call_soon(self._tell_of_deaths, heard)

    def _tell_of_deaths(self, heard: Heard) -> None:
        self._is_told_of_deaths = False
        heard()


def _nothing(signum: int, frame: FrameType | None) -> None:
    """Hear, and do nothing."""
