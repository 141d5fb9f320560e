"""What the log says of a sink that fails, by the clock."""

from __future__ import annotations

import pytest

from cvec_circus_core.runtime.streams.failure_report import REPORT_EVERY, FailureReport
from cvec_circus_core.testing import FakeClock

FULL = OSError(28, "No space left on device")
FAILED = "out of web failed (OSError: [Errno 28] No space left on device)"


def test_a_failure_and_its_end_are_told(caplog: pytest.LogCaptureFixture) -> None:
    report = FailureReport("out of web", FakeClock())
    report.worked()
    report.failed(FULL, 100)
    report.worked()
    report.worked()
    report.close()
    assert caplog.messages == [
        f"{FAILED}; 100 bytes are lost; its processes go on",
        "out of web works again",
    ]


def test_failures_between_two_reports_are_told_together(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    report = FailureReport("out of web", clock)
    for _ in range(3):
        report.failed(FULL, 10)
    clock.advance(REPORT_EVERY)
    report.failed(FULL, 1)
    report.failed(FULL, 1)
    report.worked()
    clock.advance(REPORT_EVERY)
    report.worked()
    assert report.failures == 5
    assert caplog.messages == [
        f"{FAILED}; 10 bytes are lost; its processes go on",
        "out of web failed 3 times (OSError: [Errno 28] No space left on device); "
        "21 bytes are lost; its processes go on",
        "out of web works again; 1 byte is lost meanwhile",
    ]


def test_a_sink_that_knows_what_it_lost_is_believed(caplog: pytest.LogCaptureFixture) -> None:
    report = FailureReport("out of web", FakeClock())
    error = OSError(28, "No space left on device")
    error.lost_bytes = 0  # type: ignore[attr-defined]
    report.failed(error, 100)
    assert caplog.messages == [f"{FAILED}; its processes go on"]
