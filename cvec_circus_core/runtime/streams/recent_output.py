"""The last output of every process, kept in memory for `tail`.

Each process and channel has its own `RecentOutput`, of at most `KEPT` bytes. All of them together
share one allowance: when it is used up, the process that was silent for the longest time is
forgotten first. What a process has written stays for a while after its end: it often says why it
ended.
"""

from __future__ import annotations

from collections import OrderedDict, deque

from cvec_circus_core.model.views import OutputView

KEPT = 64 * 1024
"""Bytes per process and channel."""

ALLOWANCE = 16 * 1024 * 1024
"""Bytes of all together."""

_PER_STREAM = 1024
"""What a stream costs beside its bytes."""

_PIECES = 256


class RecentOutput:
    """What one process has written to one channel."""

    __slots__ = ("_pieces", "channel", "end", "ended", "pid", "size", "wid")

    def __init__(self, wid: int, pid: int, channel: str) -> None:
        self.wid = wid
        self.pid = pid
        self.channel = channel
        self.ended = False
        """Whether the process has gone."""
        self.end = 0
        """How many bytes it has written so far."""
        self.size = 0
        self._pieces: deque[bytes] = deque()

    def append(self, data: bytes) -> None:
        """Remember one more piece, and forget what is too old for it."""
        self.end += len(data)
        if len(data) >= KEPT:
            self.clear()
            data = data[-KEPT:]
        self._pieces.append(data)
        self.size += len(data)
        while self.size - len(self._pieces[0]) >= KEPT:
            self.size -= len(self._pieces.popleft())
        if len(self._pieces) > _PIECES:
            # Many small pieces cost more in themselves than by what is in them.
            self._pieces = deque((b"".join(self._pieces)[-KEPT:],))
            self.size = len(self._pieces[0])

    def clear(self) -> None:
        """Forget what was written, but not how much."""
        self._pieces.clear()
        self.size = 0

    def last(self, lines: int) -> bytes:
        """Return the last lines, the unfinished one included; those that are known in full."""
        text = b"".join(self._pieces)
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
        self._by_age: OrderedDict[RecentOutput, WatcherRecentOutput] = OrderedDict()

    def note(self, recent: RecentOutput, owner: WatcherRecentOutput, data: bytes) -> None:
        """Remember one more piece of a stream."""
        if recent in self._by_age:
            self._by_age.move_to_end(recent)
        else:
            self._by_age[recent] = owner
            self.used += _PER_STREAM
        before = recent.size
        recent.append(data)
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

    def begin(self, wid: int, pid: int, channel: str) -> RecentOutput:
        """Remember a new process; one of the same number that was there before is forgotten."""
        old = self._by_process.get((pid, channel))
        if old is not None:
            self.forget(old)
        recent = self._by_process[(pid, channel)] = RecentOutput(wid, pid, channel)
        return recent

    def note(self, recent: RecentOutput, data: bytes) -> None:
        """Remember a piece of output."""
        self._by_process.setdefault((recent.pid, recent.channel), recent)
        self._memory.note(recent, self, data)

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
