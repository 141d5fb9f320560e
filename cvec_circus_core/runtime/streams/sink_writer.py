"""The sink of one configured stream: how it is opened, called and closed, and how it may fail.

A sink is made, opened, closed, and opened again with the next start of the watcher. One that raises
is reported in the log, not too often, and counted; output goes on. One that takes long is called in
a thread (`job_thread.py`), where everything begins that is not known to be quick. What waits for
it there is bounded: beyond that its pipes are not read, so processes wait and nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from cvec_circus_core.extend.sink import Sink, Sinks, Stream, TakesLong
from cvec_circus_core.model.errors import CircusError, SystemProblem
from cvec_circus_core.runtime.streams.failure_report import FailureReport
from cvec_circus_core.runtime.streams.job_thread import JobThread
from cvec_circus_core.system.output_journal import OutputJournal
from cvec_circus_core.system.output_records import NO_RECEIPT, Receipt, SinkRecord
from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

SLOW = 0.05
"""Seconds; a call in the loop that takes longer is the last one there."""


class Producer(Protocol):
    """A pipe whose output goes to a sink."""

    def resume(self) -> None:
        """Read on: there is room again."""

    def became_only_producer(self) -> None:
        """Be told that no other pipe leads to the sink any more."""


class SinkWriter:
    """The sink of one watcher and channel, and the pipes that lead to it."""

    def __init__(
        self,
        label: str,
        settings: Mapping[str, Any],
        sinks: Sinks,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        journal: OutputJournal | None = None,
    ) -> None:
        self.label = label
        self.settings = settings
        self.producers: set[Producer] = set()
        self.is_open = False
        self._make = partial(sinks.make, settings)
        self._clock = clock
        self._loop = loop
        self._sink: Sink | None = None
        self._thread: JobThread | None = None
        self._report = FailureReport(label, clock)
        self._record: SinkRecord | None = None
        if journal is not None:
            self._record = SinkRecord(journal, label.encode(errors="surrogateescape"))

    @property
    def failures(self) -> int:
        """Calls of the sink that raised."""
        return self._report.failures

    @property
    def is_full(self) -> bool:
        """Whether the sink is so far behind that nothing more should be read for it."""
        return self._thread is not None and self._thread.is_full

    @property
    def is_far_behind(self) -> bool:
        """Whether not even the last output of a process that has ended should be read for it."""
        return self._thread is not None and self._thread.is_far_behind

    @property
    def wants_whole_lines(self) -> bool:
        """Whether an unfinished line should wait for its rest, however long that takes."""
        return bool(getattr(self._sink, "whole_lines", False))

    @property
    def is_direct(self) -> bool:
        """Whether processes that start now write past us."""
        return self.is_open and isinstance(self._sink, Stream) and self._sink.direct

    def descriptor(self, wid: int) -> int:
        """Return what a process writes to where it writes past us. Raises `CircusError`."""
        assert isinstance(self._sink, Stream)
        return self._sink.descriptor(wid)

    @property
    def waiting(self) -> int:
        """Bytes that the sink has not taken yet."""
        return 0 if self._thread is None else self._thread.waiting

    @property
    def bytes_done(self) -> int:
        """Bytes that the sink has taken in its thread so far."""
        return 0 if self._thread is None else self._thread.done

    def open(self) -> None:
        """Have the sink ready. Raises `CircusError` with the reason why that is not possible."""
        if self.is_open:
            return
        if self._sink is not None and not hasattr(self._sink, "open"):
            # It has been closed and can not be opened again, so it takes a new one.
            self._sink = None if "stream" not in self.settings else self._sink
        if self._sink is None:
            self._sink = self._make()
            if self._record is not None and hasattr(self._sink, "use_journal"):
                self._sink.use_journal(self._record)
            if not self._may_call_in_loop():
                self._begin_thread()
        if hasattr(self._sink, "open"):
            self._call_open(self._sink.open)
        self.is_open = True
        if self._record is not None and hasattr(self._sink, "finish"):
            self._run(partial(self._finish, self._sink.finish, self._record))

    def _finish(self, finish: Callable[[bytes], object], record: SinkRecord) -> None:
        """Have written what an earlier daemon was about to write."""
        if rest := record.rest():
            self._call_guarded(partial(finish, rest), len(rest))
        record.end()

    def _call_open(self, opening: Callable[[], object]) -> None:
        # Our own classes open a file, which works at once or says why not, unless it is on another
        # machine. What somebody else's does is not known, and a close that still waits in the
        # thread has to come first.
        is_quick = isinstance(self._sink, Stream) and not self._sink.may_hang
        if self._thread is not None and not (is_quick and self._thread.is_idle):
            self._run(lambda: self._call_guarded(opening))
            return
        try:
            opening()
        except CircusError:
            raise
        except Exception as error:
            raise SystemProblem(f"{self.label} can not be opened: {error}") from error

    def put(self, chunk: Mapping[str, Any], receipt: Receipt = NO_RECEIPT) -> None:
        """Give one piece of output to the sink; the receipt is for when it has been taken."""
        sink, size = self._sink, len(chunk["data"])
        assert sink is not None
        deliver = partial(self._deliver, partial(sink, chunk), size, receipt)
        if self._thread is None and self._may_call_in_loop() and self._call_in_loop(deliver):
            return
        self._begin_thread().add(deliver, size)

    def _deliver(self, call: Callable[[], object], size: int, receipt: Receipt) -> None:
        record = self._record
        if record is not None:
            record.source = receipt
        self._call_guarded(call, size)
        receipt.done()
        if record is not None:
            record.end()

    def _call_in_loop(self, deliver: Callable[[], None]) -> bool:
        """Give a piece to the sink here and now; return whether it has taken it or failed."""
        before = self._clock.now()
        try:
            deliver()
        except TakesLong:
            return False
        duration = self._clock.now() - before
        if duration > SLOW:
            log.info("%s took %.2f s; it gets a thread from now on", self.label, duration)
            self._begin_thread()
        return True

    def _may_call_in_loop(self) -> bool:
        return bool(getattr(self._sink, "in_loop", False))

    def _begin_thread(self) -> JobThread:
        if self._thread is None:
            self._thread = JobThread(self.label, self._loop, self._on_room)
        return self._thread

    def reopen(self) -> None:
        """Have the sink's files opened anew, where it has any."""
        sink = self._sink
        if not self.is_open or sink is None:
            return
        if hasattr(sink, "reopen"):
            self._run(lambda: self._call_guarded(sink.reopen))
        elif hasattr(sink, "open") and hasattr(sink, "close"):
            self._run(lambda: self._call_guarded(sink.close))
            self._run(lambda: self._call_guarded(sink.open))

    def close(self, then: Callable[[], None] | None = None) -> None:
        """Close the sink once it has taken what waits for it; ``then`` is called in the loop."""
        sink, self.is_open = self._sink, False

        def end() -> None:
            if sink is not None and hasattr(sink, "close"):
                self._call_guarded(sink.close)
            self._report.close()
            if then is not None:
                self._soon(then)

        self._run(end)

    def _soon(self, then: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(then)
        except RuntimeError:
            return  # the loop has ended before a sink that took too long

    def _run(self, job: Callable[[], None]) -> None:
        if self._thread is None:
            job()
        else:
            self._thread.add(job)

    def _call_guarded(self, call: Callable[[], object], size: int = 0) -> None:
        try:
            call()
        except TakesLong:
            raise
        except Exception as error:
            self._report.failed(error, size)
        else:
            if size:
                self._report.worked()

    def _on_room(self) -> None:
        for producer in tuple(self.producers):
            producer.resume()
