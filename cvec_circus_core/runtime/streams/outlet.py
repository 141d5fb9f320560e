"""Where one configured stream leads: the sink, its life, and its misbehaviour.

A sink's life is made, open, closed, and open again with the next start of the watcher. One that
raises is told in the log, not too often, and counted; output goes on. One that takes long is given
to a thread (`worker.py`), where everything that is not known to be quick begins. What waits
for it there is bounded: beyond, its pipes are not read, so the processes wait and nothing is lost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from cvec_circus_core.extend.sink import Sink, Sinks, Stream
from cvec_circus_core.model.errors import CircusError, SystemProblem
from cvec_circus_core.runtime.streams.worker import Worker
from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

SLOW = 0.05
"""Seconds; a call in the loop that takes longer is the last one there."""

TELL_EVERY = 10.0
"""Seconds between two complaints about one sink."""


class Feeder(Protocol):
    """A pipe that leads to an outlet."""

    def resume(self) -> None:
        """Read on: there is room again."""

    def neighbours_left(self) -> None:
        """Be told that nobody else leads to the outlet any more."""


class Outlet:
    """The sink of one watcher and channel, and the pipes that lead to it."""

    def __init__(
        self,
        label: str,
        settings: Mapping[str, Any],
        sinks: Sinks,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.label = label
        self.settings = settings
        self.readers: set[Feeder] = set()
        self.is_open = False
        self.failures = 0
        """Calls of the sink that raised."""
        self._make = partial(sinks.make, settings)
        self._clock = clock
        self._loop = loop
        self._sink: Sink | None = None
        self._worker: Worker | None = None
        self._told_at: float | None = None
        self._untold = 0

    @property
    def is_full(self) -> bool:
        """Whether the sink is so far behind that nothing more should be read for it."""
        return self._worker is not None and self._worker.is_full

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
        return 0 if self._worker is None else self._worker.waiting

    @property
    def taken(self) -> int:
        """Bytes that the sink has taken in its thread so far."""
        return 0 if self._worker is None else self._worker.done

    def open(self) -> None:
        """Have the sink ready. Raises `CircusError` with the reason why that is not possible."""
        if self.is_open:
            return
        if self._sink is not None and not hasattr(self._sink, "open"):
            # It has been closed and can not be opened again, so it takes a new one.
            self._sink = None if "stream" not in self.settings else self._sink
        if self._sink is None:
            self._sink = self._make()
            if self._worker is None and not getattr(self._sink, "in_loop", False):
                self._worker = Worker(self.label, self._loop, self._on_room)
        if hasattr(self._sink, "open"):
            self._call_open(self._sink.open)
        self.is_open = True

    def _call_open(self, opening: Callable[[], object]) -> None:
        # Our own classes open a file, which either works at once or says why not. What somebody
        # else's does is not known, and a close that still waits in the thread has to come first.
        is_quick = isinstance(self._sink, Stream)
        if self._worker is not None and not (is_quick and self._worker.is_idle):
            self._do(lambda: self._guarded(opening))
            return
        try:
            opening()
        except CircusError:
            raise
        except Exception as error:
            raise SystemProblem(f"{self.label} can not be opened: {error}") from error

    def put(self, chunk: Mapping[str, Any]) -> None:
        """Give one piece of output to the sink."""
        sink = self._sink
        assert sink is not None
        if self._worker is not None:
            self._worker.add(lambda: self._guarded(partial(sink, chunk)), len(chunk["data"]))
            return
        before = self._clock.now()
        self._guarded(partial(sink, chunk))
        took = self._clock.now() - before
        if took > SLOW:
            log.info("%s took %.2f s; it gets a thread from now on", self.label, took)
            self._worker = Worker(self.label, self._loop, self._on_room)

    def reopen(self) -> None:
        """Have the sink's files opened anew, where it has any."""
        sink = self._sink
        if not self.is_open or sink is None:
            return
        if hasattr(sink, "reopen"):
            self._do(lambda: self._guarded(sink.reopen))
        elif hasattr(sink, "open") and hasattr(sink, "close"):
            self._do(lambda: self._guarded(sink.close))
            self._do(lambda: self._guarded(sink.open))

    def close(self, then: Callable[[], None] | None = None) -> None:
        """Close the sink once it has taken what waits for it; ``then`` is called in the loop."""
        sink, self.is_open = self._sink, False

        def end() -> None:
            if sink is not None and hasattr(sink, "close"):
                self._guarded(sink.close)
            if then is not None:
                self._soon(then)

        self._do(end)

    def _soon(self, then: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(then)
        except RuntimeError:
            return  # the loop has ended before a sink that took too long

    def _do(self, job: Callable[[], None]) -> None:
        if self._worker is None:
            job()
        else:
            self._worker.add(job)

    def _guarded(self, call: Callable[[], object]) -> None:
        try:
            call()
        except Exception as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        self.failures += 1
        self._untold += 1
        now = self._clock.now()
        if self._told_at is not None and now - self._told_at < TELL_EVERY:
            return
        times = "" if self._untold == 1 else f" {self._untold} times"
        said = f"{type(error).__name__}: {error}"
        log.error("%s failed%s (%s); its processes go on", self.label, times, said)
        self._told_at, self._untold = now, 0

    def _on_room(self) -> None:
        for reader in tuple(self.readers):
            reader.resume()
