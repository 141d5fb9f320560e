"""Output without a stream: kept in memory for a while, and passed on to where it would have gone.

A process whose watcher has no stream would inherit the daemon's standard output and error. It gets
pipes instead, so that its last output can be shown; each piece that is read is written to the
daemon's own descriptor as it came, with nothing added, held back or changed.

Most of these pipes are silent for most of their lives, and there are two for each process. So a
pipe that has said nothing is an entry of a table and of the kernel's: all pipes of a channel wait
in one epoll, and the loop waits for that. Many of them are put away together, so that new processes
do not get copies of their descriptors (`silent_pipes.py`). Since what is passed on goes to one
place, all of them wait where that takes nothing. A pipe is read to its end, no matter who holds it
and however long. One that has come to its end with nothing in it is closed a moment later: there is
a process to be replaced just then.
"""

from __future__ import annotations

import asyncio
import logging
import os
import select
from collections import deque
from collections.abc import Iterable, Sequence

from cvec_circus_core.extend.sink import Sinks
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.streams.kept_pipe import KeptPipe
from cvec_circus_core.runtime.streams.pass_on import PassOn
from cvec_circus_core.runtime.streams.put_away_pipes import PutAwayPipes
from cvec_circus_core.runtime.streams.sink_writer import SinkWriter
from cvec_circus_core.system.output_journal import OutputJournal
from cvec_circus_core.system.output_records import (
    PipeRecord,
    PlainPipe,
    Receipt,
    pipe_key,
    record_of,
)
from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.processes.pipes import pipes
from cvec_circus_core.system.processes.silent_pipes import TELL_ONCE, TOGETHER
from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

PIPES_AT_ONCE, ENDS_AT_ONCE = 8, 32
"""Pipes that are read in one turn, and that are closed."""

END_DELAY = 0.02
"""Seconds until an empty pipe that nobody writes to any more is closed."""

PIECE = 64 * 1024
"""Bytes that are read of one pipe in one turn."""

LEFT_OVER = 1 << 20
"""Bytes that are read of all pipes of a channel at the end, at most for each of them."""


class KeptPipes:
    """All pipes of one channel that lead to the daemon's own descriptor."""

    def __init__(
        self,
        channel: str,
        fd: int,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        turns: FairQueue,
        journal: OutputJournal | None = None,
    ) -> None:
        settings = {"stream": PassOn(fd)}
        self.goes_after: KeptPipes | None = None
        """What is read first where both have something: nobody knows what was written first."""
        self.writer = SinkWriter(
            f"{channel} of the daemon", settings, Sinks(), clock, loop, journal
        )
        self._journal = journal
        self._loop = loop
        self._turns = turns
        self._clock = clock
        self._by_fd: dict[int, KeptPipe] = {}
        self._silent: dict[int, None] = {}
        """Descriptors of those that nothing has happened to, the first ones first."""
        self._away = PutAwayPipes()
        self._readable: deque[int] = deque()
        self._ended: deque[int] = deque()
        """Empty, and nobody writes to them any more."""
        self._epoll: select.epoll | None = None
        self._has_turn = False
        self._is_paused = False

    def __len__(self) -> int:
        return len(self._by_fd) + len(self._away)

    def add(self, fd: int, pipe: KeptPipe) -> None:
        """Read a pipe from now on."""
        if self._epoll is None:
            self._begin()
        assert self._epoll is not None
        self._by_fd[fd] = pipe
        self._epoll.register(fd, TELL_ONCE)
        self._silent[fd] = None
        if self._journal is not None and self._journal.left:
            record = self._record_of(pipe)
            if data := record.left(fd):
                self._take(pipe, data, record.give(len(data)))
        if len(self._silent) >= TOGETHER:
            self._put_away()

    def put_left(self, pipe: KeptPipe) -> None:
        """Pass on what an earlier daemon has read of a pipe that has ended."""
        record = self._record_of(pipe)
        if data := record.left(None):
            self._take(pipe, data, record.give(len(data)))

    def _record_of(self, pipe: KeptPipe) -> PipeRecord | PlainPipe:
        # Nothing of it is kept between two pieces: most pipes say nothing for most of their lives.
        key = pipe_key(pipe.owner.name, pipe.wid, pipe.pid, pipe.channel)
        return record_of(self._journal, key)

    def resume(self) -> None:
        """Read on: there is room again."""
        if self._is_paused and self._epoll is not None:
            self._is_paused = False
            self._loop.add_reader(self._epoll.fileno(), self._on_readable)
            self._request_turn()

    def catch_up(self, pid: int) -> None:
        """Read all that is in the pipe of one process that has ended."""
        if self._epoll is None:
            return
        # It may have been noted before; of the others that are noted now, epoll tells no more.
        self._note(everything=True)
        for fd in [fd for fd in self._readable if self._by_fd[fd].pid == pid]:
            if not self.writer.is_far_behind:
                self._readable.remove(fd)
                self._read(fd)

    def became_only_producer(self) -> None:
        """Do nothing: no line waits for its end here."""

    def give_up(self) -> None:
        """Read what is in the pipes and close them, no matter who else holds them."""
        unread = LEFT_OVER * len(self)
        while self._epoll is not None and unread > 0:
            self._look(everything=True)
            if not self._readable:
                break
            unread -= self._read(self._readable.popleft())
        self._readable.clear()
        self._ended.clear()
        for fd in tuple(self._by_fd):
            self._end(fd)
        if lost := self._away.drop_all():
            self._lose(lost)

    def _begin(self) -> None:
        epoll = select.epoll()
        self._epoll = epoll
        self._is_paused = True
        self.writer.open()
        self.writer.producers.add(self)
        self.resume()

    def _on_readable(self) -> None:
        if self.goes_after is not None and self.goes_after._epoll is not None:
            self.goes_after._on_readable()
        self._note(everything=False)

    def _note(self, *, everything: bool) -> None:
        """Note what has happened, and see to it that each gets its turn."""
        is_end_planned = bool(self._ended)
        self._look(everything=everything)
        if self._ended and not is_end_planned:
            self._clock.wait(END_DELAY, self._end_some)
        self._request_turn()

    def _look(self, *, everything: bool) -> None:
        """Note the pipes that something has happened to; each is told once.

        Of those that are put away only some, unless everything counts: the loop is woken again.
        """
        while numbers := self._away.poll():
            self._take_back(numbers)
            if not everything:
                break
        if self._epoll is None:
            return
        for fd, events in self._epoll.poll(0):
            if fd in self._by_fd:
                self._silent.pop(fd, None)
                (self._readable if events & select.EPOLLIN else self._ended).append(fd)

    def _put_away(self) -> None:
        """Put away what has said nothing so far."""
        assert self._epoll is not None
        descriptors = tuple(self._silent)
        self._silent.clear()
        for fd in self._away.put(self._epoll, {fd: self._by_fd[fd] for fd in descriptors}):
            self._epoll.unregister(fd)
            os.close(fd)
            del self._by_fd[fd]

    def _take_back(self, numbers: Sequence[int]) -> None:
        """Have pipes again that were put away."""
        assert self._epoll is not None
        returned, lost = self._away.take(numbers)
        for fd, pipe in returned:
            descriptor = nofile.move_up(fd)
            self._by_fd[descriptor] = pipe
            self._epoll.register(descriptor, TELL_ONCE)
        if lost:
            self._lose(lost)

    def _lose(self, lost: Iterable[KeptPipe]) -> None:
        """Forget pipes that are closed elsewhere."""
        for pipe in lost:
            pipes.count -= 1
            pipe.owner.on_kept_end(pipe)
        self._end_if_empty()

    def _request_turn(self) -> None:
        if self._readable and not self._has_turn:
            self._has_turn = True
            self._turns.add(self._take_turn)

    def _take_turn(self) -> None:
        self._has_turn = False
        for _ in range(min(PIPES_AT_ONCE, len(self._readable))):
            if self._epoll is None or self._is_paused:
                return
            if self.writer.is_full:
                self._is_paused = True
                self._loop.remove_reader(self._epoll.fileno())
                return
            self._read(self._readable.popleft())
        self._request_turn()

    def _end_some(self) -> None:
        for _ in range(min(ENDS_AT_ONCE, len(self._ended))):
            self._end(self._ended.popleft())
        if self._ended:
            self._turns.add(self._end_some)

    def _read(self, fd: int) -> int:
        """Read one piece of a pipe that has something, or has come to its end."""
        pipe = self._by_fd[fd]
        try:
            record = self._record_of(pipe)
            data = record.read(fd, PIECE)
        except OSError as error:
            log.warning("watcher %s: a pipe broke: %s", pipe.owner.name, error)
            data = b""
        if not data:
            self._end(fd)
            return 0
        self._take(pipe, data, record.give(len(data)))
        if self._epoll is not None:
            self._epoll.modify(fd, TELL_ONCE)
        return len(data)

    def _take(self, pipe: KeptPipe, data: bytes, receipt: Receipt) -> None:
        pipe.owner.on_kept_output(pipe, data)
        self.writer.put(
            {
                "pid": pipe.pid,
                "name": pipe.channel,
                "data": data,
                "timestamp": self._clock.wall(),
                "watcher": pipe.owner.name,
                "wid": pipe.wid,
            },
            receipt,
        )

    def _end(self, fd: int) -> None:
        assert self._epoll is not None
        pipe = self._by_fd.pop(fd)
        # A process between fork and exec may have a copy, which would keep it in the epoll.
        self._epoll.unregister(fd)
        self._silent.pop(fd, None)
        pipes.close(fd)
        pipe.owner.on_kept_end(pipe)
        self._end_if_empty()

    def _end_if_empty(self) -> None:
        if len(self) or self._epoll is None:
            return
        if not self._is_paused:
            self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._epoll = None
        self._away.close()
        self.writer.producers.discard(self)


def can_keep() -> bool:
    """Tell whether there are descriptors left for pipes that only keep output."""
    limit = nofile.current[0]
    return hasattr(select, "epoll") and (limit < 0 or 2 * pipes.count < limit)
