"""Log records leave the event loop by a bounded queue; a thread per log writes them.

What the log is written to is not ours: a terminal that was stopped, a pipe that nobody reads, a
syslog that hangs, a disk that is full. Each of them keeps a thread waiting, and nobody else: the
loop only appends to the queue. When the queue is full, records are dropped and counted, and the
log tells how many as soon as it takes something again.

A wake-up of the thread costs the loop more than ten records do, and most of all while it starts
processes: the two compete for the interpreter. So what the loop logs gathers before the thread is
woken, and is written together where the handler can.

Whatever else touches the handler, such as opening its file anew, is done by the same thread. The
handler's own lock is never taken: `logging.shutdown` waits for it at the end of the program.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import ClassVar, NoReturn

from cvec_circus_core.daemon.log_targets import LineTarget
from cvec_circus_core.model.text import visible
from cvec_circus_core.system.files import write_standard
from cvec_circus_core.system.processes.priority import precedence

RECORDS = 10_000
"""Records that wait at most."""

LENGTH = 4 * 1024 * 1024
"""Characters that wait at most, in all of them."""

GATHERING = 0.01
"""Seconds that a record of the loop's waits for others."""

TOGETHER = 40
"""Records that are written at once at most: a pipe takes 4 KB without mixing them with others'."""

_MOST_LINES, _LONGEST_LINE = 60, 500
"""Of a traceback; what is left out is in its middle, and at the ends of its lines."""
_PLAIN = logging.Formatter()

Job = Callable[[], None]
ExceptionInfo = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)


class Gathering:
    """Puts off the wake-ups of the threads by what is logged in the loop that is running."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def is_in_loop(self) -> bool:
        """Tell whether this is the loop's thread."""
        return threading.get_ident() == self._thread

    def put_off(self, wake: Job) -> None:
        """Wake a little later."""
        self._loop.call_later(GATHERING, wake)


class LogQueue(logging.Handler):
    """Hands records to another handler, in a thread of its own."""

    gathering: ClassVar[Gathering | None] = None
    """Of the daemon's loop, while that runs."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__(target.level)
        self._target = target
        self._together = TOGETHER if isinstance(target, LineTarget) else 1
        target.handleError = _raise  # type: ignore[method-assign]
        self._entries: deque[logging.LogRecord | Job] = deque()
        self._length_queued = 0
        self._length_written = 0
        self._dropped = 0
        self._failures = 0
        self._changed = threading.Condition()
        self._is_idle = False
        self._is_wake_planned = False
        self._is_closed = False
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def filter(self, record: logging.LogRecord) -> bool:
        """Ask the filters of the other handler; from Python 3.12 on they may give a record."""
        return self._target.filter(record)

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802 – logging's name
        """Give the other handler a format."""
        self._target.setFormatter(fmt)

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, or drop it where too many wait."""
        record.msg, record.args = _message_of(record), None
        if record.exc_info and not record.exc_text:
            record.exc_text = _traceback_of(record.exc_info)
        length = len(record.msg)
        if len(self._entries) >= RECORDS or self._length_waiting + length > LENGTH:
            self._dropped += 1
            return
        if self._dropped:
            self._entries.append(self._take_notice())
        self._length_queued += length
        self._append(record)

    @property
    def _length_waiting(self) -> int:
        # Two numbers, because each is changed by one side alone: by those that hold our lock, as
        # all that log do, and by the thread.
        return self._length_queued - self._length_written

    def run_in_thread(self, job: Callable[[logging.Handler], None]) -> None:
        """Do something with the other handler after what was logged before."""
        self._append(lambda: job(self._target))

    def wait_written(self, seconds: float) -> bool:
        """Wait until everything is written, but not longer than so; tell whether it is."""
        with self._changed:
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._is_idle and not self._entries, seconds)

    def retire(self) -> None:
        """Close the other handler, and end the thread, when everything is written."""
        self._append(self._end)

    def _append(self, entry: logging.LogRecord | Job) -> None:
        self._entries.append(entry)
        if not self._is_idle:
            return
        if self.gathering is None or not self.gathering.is_in_loop():
            self._wake()
        elif not self._is_wake_planned:
            self._is_wake_planned = True
            self.gathering.put_off(self._wake)

    def _wake(self) -> None:
        self._is_wake_planned = False
        with self._changed:
            self._changed.notify_all()

    def _run(self) -> None:
        precedence.join()
        while not self._is_closed:
            self._write_waiting()
            if self._dropped:
                self.acquire()
                try:
                    self._entries.append(self._take_notice())
                finally:
                    self.release()
                continue
            self._wait_for_entries()
        with self._changed:
            self._is_idle = True
            self._changed.notify_all()

    def _wait_for_entries(self) -> None:
        with self._changed:
            self._is_idle = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._entries or self._is_closed)
            self._is_idle = False

    def _write_waiting(self) -> None:
        records: list[logging.LogRecord] = []
        while self._entries:
            entry = self._entries.popleft()
            if isinstance(entry, logging.LogRecord):
                records.append(entry)
                if len(records) < self._together and self._entries:
                    continue
            if records:
                self._write(records)
                records = []
            if not isinstance(entry, logging.LogRecord):
                self._attempt(entry, 0)

    def _write(self, records: list[logging.LogRecord]) -> None:
        self._length_written += sum(len(record.msg) for record in records)
        if isinstance(self._target, LineTarget):
            self._attempt(partial(self._target.emit_all, records), len(records))
        else:
            self._attempt(partial(self._target.emit, records[0]), 1)

    def _attempt(self, job: Job, records: int) -> None:
        try:
            job()
        except Exception as error:
            self._failed(error, records)
        else:
            if self._failures and records:
                self._works_again()

    def _failed(self, error: Exception, records: int) -> None:
        is_first = not self._failures
        self._failures += records
        if is_first:
            sentence = f"circusd: the log can not be written ({error}); log records are lost\n"
            with suppress(OSError, ValueError):
                write_standard(sys.stderr, sentence.encode(errors="backslashreplace"))

    def _works_again(self) -> None:
        failures, self._failures = self._failures, 0
        notice = _record("the log can be written again; %d records are lost", failures)
        self._length_written -= len(notice.msg)
        self._write([notice])

    def _take_notice(self) -> logging.LogRecord:
        dropped, self._dropped = self._dropped, 0
        notice = _record("%d log records were dropped: the log did not take them in time", dropped)
        self._length_queued += len(notice.msg)
        return notice

    def _end(self) -> None:
        self._is_closed = True
        self._target.close()


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:
        return f"{record.msg} {record.args!r}"


def _traceback_of(failure: ExceptionInfo) -> str:
    """Return a traceback: whatever it quotes, no line of it begins as those of the log do."""
    lines = visible(_PLAIN.formatException(failure)).split("\n")
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES // 2 : -_MOST_LINES // 2] = ["…"]
    return "\n".join(f"  {line[:_LONGEST_LINE]}" for line in lines)


def _record(message: str, count: int) -> logging.LogRecord:
    text = message % count
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)


def _raise(record: logging.LogRecord) -> NoReturn:
    """Let a handler's failure through; called while it is being handled."""
    raise
