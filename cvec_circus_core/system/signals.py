"""The daemon's own signals, heard in the event loop.

A signal that we do not want is given a handler that does nothing, never SIG_IGN: exec hands
"ignore" on to a child, and a handler it does not. What this process was started with (nohup ignores
SIGHUP, a shell's background job SIGINT) is treated the same way, so that children begin with a
clean slate and can be started the cheap way (launching.py).
"""

from __future__ import annotations

import signal
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from cvec_circus_core.system.launching import signals_to_reset

Heard = Callable[[], None]


class DaemonSignals:
    """Handlers of signals for as long as the daemon runs."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._before: dict[int, Any] = {}
        self._heard: set[int] = set()
        self._mask: set[int] = set()
        self._installed = False

    def install(self, handlers: Mapping[int, Heard]) -> bool:
        """Have these called, in the loop; False outside the main thread, where nothing is changed.

        SIGWINCH, and what was ignored so far, does nothing from now on.
        """
        if threading.current_thread() is not threading.main_thread():
            return False
        self._installed = True
        for signum in {*signals_to_reset(), signal.SIGWINCH} - set(handlers):
            self._before[signum] = signal.signal(signum, _nothing)
        for signum, heard in handlers.items():
            self._before[signum] = signal.getsignal(signum)
            self._loop.add_signal_handler(signum, heard)
            self._heard.add(signum)
        self._mask = set(signal.pthread_sigmask(signal.SIG_SETMASK, ()))
        return True

    def restore(self) -> None:
        """Put everything back as it was."""
        if not self._installed:
            return
        self._installed = False
        for signum in self._heard:
            self._loop.remove_signal_handler(signum)
        for signum, handler in self._before.items():
            if handler is not None:  # None: it was set by something that is not Python
                signal.signal(signum, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        self._heard.clear()
        self._before.clear()


def _nothing(signum: int, frame: FrameType | None) -> None:
    """Hear, and do nothing."""
