"""The last output of every process, kept in memory for `tail`.

Each process and channel has its own `RecentOutput`, of at most ``keep_output`` bytes. All of them
together share one allowance: when it is used up, the process that was silent for the longest time
is forgotten first. What a process has written stays for a while after its end: it often says why it
ended.

Each piece remembers its place among those of all processes, so that the lines of several can be
told in the order in which they came. Pieces that follow each other closely are one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from io import BytesIO
from itertools import count

from cvec_circus_core.model.views import OutputLine, OutputQuery, OutputView

KEPT = 64 * 1024
"""Bytes per process and channel, if nothing else is said."""

ALLOWANCE = 16 * 1024 * 1024
"""Bytes of all together."""

_PER_STREAM = 1024
"""What a stream costs beside its bytes."""

_PIECES = 512
"""Pieces of one stream; where there are more, the older half becomes one piece."""

_JOINED_SIZE = 4096
_JOINED_SECONDS = 0.1
"""Pieces that are joined because they came one after the other: their size, and how soon."""


class OutputPiece:
    """Bytes that were read at once, or nearly so."""

    __slots__ = ("data", "place", "time")

    def __init__(self, data: bytes, place: int, time: float) -> None:
        self.data = data
        self.place = place
        self.time = time


class RecentOutput:
    """What one process has written to one channel."""

    __slots__ = ("_limit", "_pieces", "channel", "end", "ended", "pid", "size", "wid")

    def __init__(self, wid: int, pid: int, channel: str, limit: int = KEPT) -> None:
        self.wid = wid
        self.pid = pid
        self.channel = channel
        self.ended = False
        """Whether the process has gone."""
        self.end = 0
        """How many bytes it has written so far."""
        self.size = 0
        self._limit = limit
        self._pieces: deque[OutputPiece] = deque()

    def append(self, data: bytes, place: int = 0, time: float = 0.0, *, joins: bool = True) -> None:
        """Remember one more piece, and forget what is too old for it.

        It ``joins`` the last one, if that was just now and nobody else has written since.
        """
        self.end += len(data)
        if not self._limit:
            return
        if len(data) >= self._limit:
            self.clear()
            data = data[-self._limit :]
        last = self._pieces[-1] if self._pieces else None
        is_close = last is not None and time - last.time < _JOINED_SECONDS
        if last is not None and joins and is_close and len(last.data) < _JOINED_SIZE:
            last.data += data
        else:
            self._pieces.append(OutputPiece(data, place, time))
        self.size += len(data)
        while self.size - len(self._pieces[0].data) >= self._limit:
            self.size -= len(self._pieces.popleft().data)
        if len(self._pieces) > _PIECES:
            self._join_older_half()

    def _join_older_half(self) -> None:
        # Many small pieces cost more in themselves than by what is in them.
        older = [self._pieces.popleft() for _ in range(len(self._pieces) // 2)]
        text = b"".join(piece.data for piece in older)
        self._pieces.appendleft(OutputPiece(text, older[0].place, older[0].time))

    def clear(self) -> None:
        """Forget what was written, but not how much."""
        self._pieces.clear()
        self.size = 0

    def last(self, lines: int) -> bytes:
        """Return the last lines, the unfinished one included; those that are known in full."""
        text = b"".join(piece.data for piece in self._pieces)
        at = len(text) - text.endswith(b"\n")
        for _ in range(lines):
            at = text.rfind(b"\n", 0, at)
            if at < 0:
                return self._from_first_whole_line(text)
        return text[at + 1 :]

    def _from_first_whole_line(self, text: bytes) -> bytes:
        if self.end == len(text):
            return text
        return text[text.find(b"\n") + 1 :]

    def lines(self) -> Iterator[tuple[int, OutputLine]]:
        """Return every line that is known in full, with its place: where it began to come."""
        is_known = self.end == self.size
        begin: OutputPiece | None = None
        unfinished: list[bytes] = []
        for piece in self._pieces:
            for part in BytesIO(piece.data):
                begin = begin or piece
                unfinished.append(part)
                if not part.endswith(b"\n"):
                    continue
                if is_known:
                    yield begin.place, self._line(b"".join(unfinished), begin)
                is_known, begin = True, None
                unfinished.clear()
        if begin is not None and is_known:
            yield begin.place, self._line(b"".join(unfinished), begin)

    def _line(self, data: bytes, begin: OutputPiece) -> OutputLine:
        return OutputLine(self.wid, self.pid, self.channel, begin.time, data, self.ended)

    def view(self, lines: int) -> OutputView:
        """Return a picture of the last lines."""
        return OutputView(
            wid=self.wid,
            pid=self.pid,
            channel=self.channel,
            data=self.last(lines),
            end=self.end,
            ended=self.ended,
        )


class OutputMemory:
    """All recent output, within one allowance."""

    def __init__(self, allowance: int = ALLOWANCE) -> None:
        self.allowance = allowance
        self.used = 0
        self._places = count()
        self._by_age: OrderedDict[RecentOutput, WatcherRecentOutput] = OrderedDict()

    def note(
        self,
        recent: RecentOutput,
        owner: WatcherRecentOutput,
        data: bytes,
        time: float,
        *,
        joins: bool,
    ) -> None:
        """Remember one more piece of a stream."""
        if recent in self._by_age:
            self._by_age.move_to_end(recent)
        else:
            self._by_age[recent] = owner
            self.used += _PER_STREAM
        before = recent.size
        recent.append(data, next(self._places), time, joins=joins)
        self.used += recent.size - before
        while self.used > self.allowance and len(self._by_age) > 1:
            oldest, its_owner = next(iter(self._by_age.items()))
            its_owner.forget(oldest)

    def drop(self, recent: RecentOutput) -> None:
        """Give back what a forgotten stream took."""
        if self._by_age.pop(recent, None) is not None:
            self.used -= _PER_STREAM + recent.size
            recent.clear()


class WatcherRecentOutput:
    """What the processes of one watcher have written lately."""

    ENDED = 8
    """Streams of processes that are gone; more are forgotten, the oldest first."""

    def __init__(self, memory: OutputMemory) -> None:
        self._memory = memory
        self._by_process: dict[tuple[int, str], RecentOutput] = {}
        self._ended: deque[RecentOutput] = deque()
        self._last_writer: RecentOutput | None = None

    def begin(self, wid: int, pid: int, channel: str, limit: int = KEPT) -> RecentOutput:
        """Remember a new process; one of the same number that was there before is forgotten."""
        old = self._by_process.get((pid, channel))
        if old is not None:
            self.forget(old)
        recent = self._by_process[(pid, channel)] = RecentOutput(wid, pid, channel, limit)
        return recent

    def note(self, recent: RecentOutput, data: bytes, time: float = 0.0) -> None:
        """Remember a piece of output."""
        self._by_process.setdefault((recent.pid, recent.channel), recent)
        joins, self._last_writer = self._last_writer is recent, recent
        self._memory.note(recent, self, data, time, joins=joins)

    def end(self, recent: RecentOutput) -> None:
        """Keep the last output of a process that has ended, until enough others have ended."""
        recent.ended = True
        if not recent.end:
            self.forget(recent)
            return
        self._ended.append(recent)
        if len(self._ended) > self.ENDED:
            self.forget(self._ended[0])

    def forget(self, recent: RecentOutput) -> None:
        """Forget a stream; if it goes on, it is remembered anew."""
        if self._by_process.get((recent.pid, recent.channel)) is recent:
            del self._by_process[(recent.pid, recent.channel)]
        if recent.ended and recent in self._ended:
            self._ended.remove(recent)
        self._memory.drop(recent)

    def clear(self) -> None:
        """Forget everything."""
        for recent in tuple(self._by_process.values()):
            self.forget(recent)

    def views(self, channel: str, lines: int, wid: int | None = None) -> list[OutputView]:
        """Return the last lines of each process, by slot, those that have ended first."""
        matching = [
            recent
            for recent in self._by_process.values()
            if recent.channel == channel and wid in (None, recent.wid) and recent.end
        ]
        matching.sort(key=lambda recent: (recent.wid, not recent.ended))
        return [recent.view(lines) for recent in matching]

    def last_of(self, pid: int, lines: int) -> bytes:
        """Return the last lines that a process has written, of all its channels."""
        recents = (self._by_process.get((pid, channel)) for channel in ("stdout", "stderr"))
        return b"\n".join(recent.last(lines) for recent in recents if recent is not None)

    def lines(self, query: OutputQuery) -> list[OutputLine]:
        """Return the last lines of each slot, all of them in the order in which they came."""
        by_wid: dict[int, list[tuple[int, OutputLine]]] = {}
        for recent in self._by_process.values():
            if recent.channel in query.channels and query.wid in (None, recent.wid):
                by_wid.setdefault(recent.wid, []).extend(
                    (place, line) for place, line in recent.lines() if _matches(line, query)
                )
        last: list[tuple[int, OutputLine]] = []
        for placed in by_wid.values():
            placed.sort(key=_place)
            last += placed[max(0, len(placed) - query.lines) :]
        last.sort(key=_place)
        return [line for _, line in last]


def _place(placed: tuple[int, OutputLine]) -> int:
    return placed[0]


def _matches(line: OutputLine, query: OutputQuery) -> bool:
    is_recent = query.since is None or line.time >= query.since
    return is_recent and query.text.encode(errors="surrogateescape") in line.data
