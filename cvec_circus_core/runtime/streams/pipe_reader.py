"""The reading end of one process's pipe: from its first byte to its last.

Bytes are read in large pieces, a few of them per turn, so that a process that floods its pipe gets
no more of the loop than others. What goes to the sink ends at a line's end, so that lines of
several processes never mix: an unfinished line waits for its rest, until the pipe ends, until it is
longer than `LONGEST`, or, where nobody else writes to the same sink and it can go on with a line,
for `PATIENCE` seconds in which the pipe is empty (a prompt or a row of dots shall be seen).

The pipe's end is the only proof that all was read, so a process that has exited is not the end: its
pipe is read until it is empty and closed. Where somebody else keeps it open, a grandchild that went
its own way, it is given up some time later, after what is in it was read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from cvec_circus_core.model.values import Struct
from cvec_circus_core.runtime.streams.sink_writer import SinkWriter
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.output_records import pipe_key, record_of
from cvec_circus_core.system.processes.pipes import LARGE, pipes

log = logging.getLogger(__name__)

AT_ONCE = 64 * 1024
"""Bytes that one call reads."""

CALLS = 4
"""Calls in one turn, where the pipe is that full."""

LONGEST = 256 * 1024
"""Bytes of an unfinished line that are kept waiting at most."""

PATIENCE = 1.0
"""Seconds that an unfinished line waits where nobody else writes."""

STUCK = 60
"""Seconds that a dead process's pipe waits for a sink that takes nothing, so that the pipes of a
crash loop do not pile up before one that hangs."""

_MUCH = AT_ONCE * 3 // 4
"""Bytes of a call that found the pipe full, or nearly so."""

_BUSY = 8
"""Such calls after which a pipe is enlarged."""

_PIECES = 64


class OutputSource(Struct, frozen=True):
    """Whose output it is."""

    watcher: str
    wid: int
    pid: int
    channel: str


class PipeReader:
    """Reads one pipe and gives its lines to a sink writer."""

    def __init__(
        self,
        fd: int,
        source: OutputSource,
        writer: SinkWriter,
        world: World,
        on_output: Callable[[bytes], None],
        on_end: Callable[[PipeReader], None],
    ) -> None:
        self.source = source
        self.writer = writer
        self._fd = fd
        self._world = world
        self._on_output = on_output
        self._on_end = on_end
        self._unfinished: list[bytes] = []
        self._unfinished_size = 0
        self._has_turn = False
        self._is_read = True
        self._is_closed = False
        self._full_reads = 0
        self._read_at = 0.0
        self._stuck = 0
        self._bytes_done = 0
        self._timer: Callable[[], None] | None = None
        self._giving_up: Callable[[], None] | None = None
        self._record = record_of(world.outputs.journal, _key_of(source))
        writer.producers.add(self)
        world.loop.add_reader(fd, self._on_readable)
        if data := self._record.left(fd):
            self._take(data)

    def move(self, writer: SinkWriter) -> None:
        """Give everything that is not delivered yet to another sink writer."""
        self.writer.producers.discard(self)
        self.writer = writer
        writer.producers.add(self)
        self.resume()

    def resume(self) -> None:
        """Read on after a pause."""
        if not self._is_read and not self._is_closed:
            self._is_read = True
            self._world.loop.add_reader(self._fd, self._on_readable)

    def catch_up(self) -> None:
        """Read all that is in the pipe of a process that has ended."""
        for _ in range(LARGE // AT_ONCE):
            if self._is_closed or self.writer.is_far_behind or not self._read():
                return

    def process_ended(self, patience: float) -> None:
        """Be told that the process is gone: others may keep its pipe for so many seconds."""
        if not self._is_closed:
            self._giving_up = self._world.clock.wait(patience, self._give_up)

    def became_only_producer(self) -> None:
        """Be told that no other pipe leads to the sink any more."""
        if self._unfinished:
            self._deliver_unfinished()

    def give_up(self) -> None:
        """Read what is in the pipe and close it, no matter who else holds it."""
        unread = 2 * LARGE
        while not self._is_closed and unread > 0:
            size = self._read()
            if not size:
                break
            unread -= size
        self._end()

    def _give_up(self) -> None:
        self._giving_up = None
        source = self.source
        if self._bytes_done != self.writer.bytes_done:
            # The sink is slow, which is no reason to lose anything.
            self._bytes_done, self._stuck = self.writer.bytes_done, 0
        if self.writer.is_full and self._stuck < STUCK:
            self._stuck += 1
            self.process_ended(1.0)
        elif self.writer.is_full:
            log.error(
                "watcher %s: nobody took the last output of process %d in %d s; it is lost",
                *(source.watcher, source.pid, STUCK),
            )
            self._end()
        elif not self._is_closed:
            self.give_up()
            log.info(
                "watcher %s: process %d is gone, but somebody kept its %s; it is closed now",
                *(source.watcher, source.pid, source.channel),
            )

    def _on_readable(self) -> None:
        if not self._has_turn:
            self._has_turn = True
            self._world.turns.add(self._take_turn)

    def _take_turn(self) -> None:
        self._has_turn = False
        if self._is_closed or not self._is_read:
            return
        if self.writer.is_full:
            self._is_read = False
            self._world.loop.remove_reader(self._fd)
            return
        for _ in range(CALLS):
            if self._read() < _MUCH or self.writer.is_full:
                break

    def _read(self) -> int:
        """Read one piece; return its size, 0 where there is none now or never again."""
        try:
            data = self._record.read(self._fd, AT_ONCE)
        except BlockingIOError:
            return 0
        except OSError as error:
            log.warning("watcher %s: a pipe broke: %s", self.source.watcher, error)
            data = b""
        if not data:
            self._end()
            return 0
        if len(data) >= _MUCH:
            self._full_reads += 1
            if self._full_reads == _BUSY:
                pipes.enlarge(self._fd)
        self._take(data)
        return len(data)

    def _take(self, data: bytes) -> None:
        self._on_output(data)
        self._deliver_lines(data)

    def _deliver_lines(self, data: bytes) -> None:
        end = data.rfind(b"\n") + 1
        if end:
            if self._unfinished:
                self._put(b"".join((*self._unfinished, memoryview(data)[:end])))
            else:
                self._put(data if end == len(data) else data[:end])
            self._unfinished = [data[end:]] if end < len(data) else []
            self._unfinished_size = len(data) - end
        else:
            self._unfinished.append(data)
            self._unfinished_size += len(data)
            if len(self._unfinished) > _PIECES:
                self._unfinished = [b"".join(self._unfinished)]
        if self._unfinished_size >= LONGEST:
            self._flush()
        elif self._unfinished:
            self._read_at = self._world.clock.now()
            if self._timer is None and self._is_alone():
                self._timer = self._world.clock.wait(PATIENCE, self._deliver_unfinished)

    def _deliver_unfinished(self) -> None:
        """Deliver an unfinished line, if nothing has come since."""
        self._timer = None
        if not self._unfinished or self._is_closed or not self._is_alone():
            return
        patience = self._read_at + PATIENCE - self._world.clock.now()
        if patience > 0.001 or self.writer.is_full or not self._is_read:
            self._timer = self._world.clock.wait(max(patience, 0.05), self._deliver_unfinished)
        elif not self._read() and not self._is_closed:
            # The rest is not in the pipe either: nobody was merely too busy to read it.
            self._flush()

    def _is_alone(self) -> bool:
        return len(self.writer.producers) == 1 and not self.writer.wants_whole_lines

    def _flush(self) -> None:
        if self._unfinished:
            data, self._unfinished, self._unfinished_size = b"".join(self._unfinished), [], 0
            self._put(data)

    def _put(self, data: bytes) -> None:
        piece = _piece(self.source, data, self._world.clock.wall())
        self.writer.put(piece, self._record.give(len(data)))

    def _end(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._is_read:
            self._world.loop.remove_reader(self._fd)
        pipes.close(self._fd)
        for cancel in (self._timer, self._giving_up):
            if cancel is not None:
                cancel()
        self._timer = self._giving_up = None
        self._flush()
        self.writer.producers.discard(self)
        if len(self.writer.producers) == 1:
            next(iter(self.writer.producers)).became_only_producer()
        self._on_end(self)


def put_left(source: OutputSource, writer: SinkWriter, world: World) -> None:
    """Deliver what an earlier daemon has read of a pipe that is closed by now."""
    record = record_of(world.outputs.journal, _key_of(source))
    if data := record.left(None):
        writer.put(_piece(source, data, world.clock.wall()), record.give(len(data)))


def _key_of(source: OutputSource) -> bytes:
    return pipe_key(source.watcher, source.wid, source.pid, source.channel)


def _piece(source: OutputSource, data: bytes, time: float) -> dict[str, object]:
    return {
        "pid": source.pid,
        "name": source.channel,
        "data": data,
        "timestamp": time,
        "watcher": source.watcher,
        "wid": source.wid,
    }
