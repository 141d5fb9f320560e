"""A moment that is waited for without an event loop: what blocking clients need of a clock."""

from __future__ import annotations

from time import monotonic


class Deadline:
    """A number of seconds that start to run when it is made."""

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, never less than zero."""
        return max(0.0, self._end - monotonic())
