"""The one wake-up that a machine has asked for: set anew only where the moment is another."""

from __future__ import annotations

from collections.abc import Callable

from cvec_circus_core.system.protocols import Clock


class Alarm:
    """Calls back at a monotonic moment, which may be moved or taken back."""

    __slots__ = ("_cancel", "_clock", "_moment", "_ring")

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._moment: float | None = None
        self._cancel: Callable[[], None] | None = None

    def set(self, moment: float | None) -> None:
        """Call back at this moment and at no other; None: not at all."""
        if moment == self._moment:
            return
        if self._cancel is not None:
            self._cancel()
            self._cancel = None
        self._moment = moment
        if moment is not None:
            pause = max(0.0, moment - self._clock.now())
            self._cancel = self._clock.wait(pause, self._on_time)

    def _on_time(self) -> None:
        self._moment = self._cancel = None
        self._ring()
