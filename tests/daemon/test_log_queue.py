"""The queue before the log: what hangs, fails or is slow costs records, and says how many."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from cvec_circus_core.daemon import log_queue
from cvec_circus_core.daemon.log_queue import LogQueue

LIMIT = 20.0


class Target(logging.Handler):
    """A log that can be made to hang and to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.is_full = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.is_called = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record, if it is not hanging or full."""
        self.is_called.set()
        self.goes_on.wait(LIMIT)
        try:
            if self.is_full:
                raise OSError(28, "No space left on device")
            self.lines.append(self.format(record))
        except OSError:
            self.handleError(record)


@pytest.fixture
def target() -> Target:
    """Return a log that takes everything."""
    return Target()


@pytest.fixture
def queue(target: Target) -> Iterator[LogQueue]:
    """Return a queue in front of it."""
    queue = LogQueue(target)
    yield queue
    target.goes_on.set()
    queue.retire()
    assert queue.wait_written(LIMIT)


def say(queue: LogQueue, message: str, *args: object) -> None:
    """Log something."""
    queue.handle(logging.LogRecord("x", logging.INFO, "f", 1, message, args, None))


def test_records_are_written_in_order_and_formatted_late(queue: LogQueue, target: Target) -> None:
    queue.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    words = ["a"]
    say(queue, "one %s", words)
    words.append("b")
    say(queue, "two %d", 2)
    say(queue, "100 %")
    say(queue, "bad %d", "x")
    assert queue.wait_written(LIMIT)
    assert target.lines == ["INFO one ['a']", "INFO two 2", "INFO 100 %", "INFO bad %d ('x',)"]


def test_a_log_that_hangs_keeps_nobody_waiting_and_tells_what_was_dropped(
    queue: LogQueue, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_queue, "RECORDS", 10)
    target.goes_on.clear()
    say(queue, "first")
    assert target.is_called.wait(LIMIT)
    for number in range(30):
        say(queue, "%d", number)
    assert not queue.wait_written(0.01)
    target.goes_on.set()
    assert queue.wait_written(LIMIT)
    assert target.lines == [
        "first",
        *map(str, range(10)),
        "20 log records were dropped: the log did not take them in time",
    ]


def test_long_records_count_by_their_length(
    queue: LogQueue, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_queue, "LENGTH", 100)
    target.goes_on.clear()
    for _ in range(10):
        say(queue, "x" * 30)
    target.goes_on.set()
    assert queue.wait_written(LIMIT)
    taken = target.lines.count("x" * 30)
    assert 3 <= taken <= 4
    assert target.lines[-1].startswith(f"{10 - taken} log records were dropped")
    say(queue, "y" * 90)
    assert queue.wait_written(LIMIT)
    assert target.lines[-1] == "y" * 90


def test_a_log_that_fails_is_told_once_and_again_when_it_works(
    queue: LogQueue, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    target.is_full = True
    for number in range(50):
        say(queue, "%d", number)
    assert queue.wait_written(LIMIT)
    assert capsys.readouterr().err == (
        "circusd: the log can not be written ([Errno 28] No space left on device); "
        "log records are lost\n"
    )
    target.is_full = False
    say(queue, "there")
    assert queue.wait_written(LIMIT)
    assert target.lines == ["there", "the log can be written again; 50 records are lost"]


def test_reopening_waits_in_the_thread(queue: LogQueue, target: Target) -> None:
    target.goes_on.clear()
    say(queue, "before")
    reopened_after: list[int] = []
    queue.run_in_thread(lambda handler: reopened_after.append(len(target.lines)))
    say(queue, "after")
    assert not reopened_after
    target.goes_on.set()
    assert queue.wait_written(LIMIT)
    assert (reopened_after, target.lines) == ([1], ["before", "after"])


def test_filters_and_levels_of_the_log_hold(target: Target) -> None:
    target.setLevel(logging.WARNING)
    target.addFilter(lambda record: "secret" not in record.getMessage())
    queue = LogQueue(target)
    assert queue.level == logging.WARNING
    say(queue, "a secret")
    say(queue, "nothing")
    assert queue.wait_written(LIMIT)
    queue.retire()
    assert target.lines == ["nothing"]


def test_what_an_exception_quotes_forges_no_line(queue: LogQueue, target: Target) -> None:
    failure = ValueError("\x1b[2J\n2026-11-29 12:00:00 circus[1] [INFO] forged\n" + "x\n" * 10_000)
    record = logging.LogRecord(
        "x", logging.ERROR, "f", 1, "failed", None, (ValueError, failure, None)
    )
    queue.handle(record)
    assert queue.wait_written(LIMIT)
    first, *lines = target.lines[0].split("\n")
    assert (first, lines[0]) == ("failed", "  ValueError: \\x1b[2J")
    assert all(line.startswith("  ") for line in lines)
    assert "forged" in lines[1]
    assert len(lines) < 100
