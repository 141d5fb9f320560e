"""Log records leave the event loop by a bounded queue; a thread per log writes them.

What the log is written to is not ours: a terminal that was stopped, a pipe that nobody reads, a
syslog that hangs, a disk that is full. Each of them keeps a thread waiting, and nobody else: the
loop only appends to the queue. When the queue is full, records are dropped and counted, and the
log tells how many as soon as it takes something again.

Whatever else touches the handler, such as opening its file anew, is done by the same thread. The
handler's own lock is never taken: `logging.shutdown` waits for it at the end of the program.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from cvec_circus_core.system.files import write_standard
from cvec_circus_core.system.processes.priority import precedence

RECORDS = 10_000
"""Records that wait at most."""

LENGTH = 4 * 1024 * 1024
"""Characters that wait at most, in all of them."""

Job = Callable[[], None]


class LogQueue(logging.Handler):
    """Hands records to another handler, in a thread of its own."""

    def __init__(self, target: logging.Handler) -> None:
        super().__init__(target.level)
        self._target = target
        target.handleError = _raise  # type: ignore[method-assign]
        self._entries: deque[logging.LogRecord | Job] = deque()
        self._length_queued = 0
        self._length_written = 0
        self._dropped = 0
        self._failures = 0
        self._changed = threading.Condition()
        self._is_idle = False
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
            return self._changed.wait_for(lambda: self._is_idle and not self._entries, seconds)

    def retire(self) -> None:
        """Close the other handler, and end the thread, when everything is written."""
        self._append(self._end)

    def _append(self, entry: logging.LogRecord | Job) -> None:
        self._entries.append(entry)
        if self._is_idle:
            with self._changed:
                self._changed.notify_all()

    def _run(self) -> None:
        precedence.join()
        while not self._is_closed:
            while self._entries:
                self._write(self._entries.popleft())
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

    def _write(self, entry: logging.LogRecord | Job) -> None:
        try:
            if not isinstance(entry, logging.LogRecord):
                entry()
                return
            self._length_written += len(entry.msg)
            self._target.emit(entry)
        except Exception as error:
            self._failed(error)
        else:
            if self._failures:
                self._works_again()

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            sentence = f"circusd: the log can not be written ({error}); log records are lost\n"
            with suppress(OSError, ValueError):
                write_standard(sys.stderr, sentence.encode(errors="backslashreplace"))

    def _works_again(self) -> None:
        failures, self._failures = self._failures, 0
        notice = _record("the log can be written again; %d records are lost", failures)
        self._length_written -= len(notice.msg)
        self._write(notice)

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


def _record(message: str, count: int) -> logging.LogRecord:
    text = message % count
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)


def _raise(record: logging.LogRecord) -> NoReturn:
    """Let a handler's failure through; called while it is being handled."""
    raise
