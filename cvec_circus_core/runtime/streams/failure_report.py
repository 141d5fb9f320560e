"""What the log says of a sink that fails: not too often, how much was lost, when it works again.

A failure is reported when the last report is some time ago; what fails in between is counted, and
told by the next report or by the line that says that the sink works again. So there are at most two
lines in `REPORT_EVERY` seconds, and no loss is left out.
"""

from __future__ import annotations

import logging

from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

REPORT_EVERY = 10.0
"""Seconds between two reports of failures of one sink."""


class FailureReport:
    """Counts the failures of one sink, and reports them."""

    def __init__(self, label: str, clock: Clock) -> None:
        self.failures = 0
        """Calls that raised, of all times."""
        self._label = label
        self._clock = clock
        self._reported_at: float | None = None
        self._unreported = 0
        self._lost_bytes = 0
        self._is_failing = False

    def failed(self, error: Exception, size: int) -> None:
        """Be told that a call raised that was given so many bytes."""
        self.failures += 1
        self._unreported += 1
        self._lost_bytes += getattr(error, "lost_bytes", size)
        self._is_failing = True
        if not self._is_due():
            return
        times = "" if self._unreported == 1 else f" {self._unreported} times"
        reason = f"{type(error).__name__}: {error}"
        loss = self._take_loss("; {} lost")
        log.error("%s failed%s (%s)%s; its processes go on", self._label, times, reason, loss)

    def worked(self) -> None:
        """Be told that a call has taken what it was given."""
        if self._is_failing and (not self._unreported or self._is_due()):
            self._tell_end("works again")

    def close(self) -> None:
        """Tell what is not told yet: nothing more will come."""
        if self._unreported:
            self._tell_end(f"is closed; it had failed {_times(self._unreported)} more")

    def _tell_end(self, news: str) -> None:
        loss = self._take_loss("; {} lost meanwhile")
        log.warning("%s %s%s", self._label, news, loss)
        self._is_failing = False

    def _is_due(self) -> bool:
        last = self._reported_at
        return last is None or self._clock.now() - last >= REPORT_EVERY

    def _take_loss(self, template: str) -> str:
        lost, self._lost_bytes, self._unreported = self._lost_bytes, 0, 0
        self._reported_at = self._clock.now()
        if not lost:
            return ""
        return template.format("1 byte is" if lost == 1 else f"{lost} bytes are")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
