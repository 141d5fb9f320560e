"""The last output of the processes of each watcher, kept in memory for `tail`.

A watcher has one ring for all its processes and both channels: the last ``keep_output`` bytes of
them together, in the order in which they came. What a process has written stays there after its
end, for it often says why it ended; it goes when others have written so much more.

The bytes are in one buffer. Beside it is a row of heads of 16 bytes, a head for each piece: whose
it is, how long, and when it came. Pieces of one process that follow each other closely are one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO

from cvec_circus_core.model.views import OutputLine, OutputQuery, OutputView

_HEAD = struct.Struct("=IId")
"""Number of the stream, bytes, Unix time."""

_JOINED_SIZE = 4096
_JOINED_SECONDS = 0.1
"""Pieces that are joined because they came one after the other: their size, and how soon."""


class RecentOutput:
    """One process and channel: whose it is, how much it has written, how much of that is known."""

    __slots__ = ("begins_whole", "channel", "end", "ended", "number", "pid", "size", "wid")

    def __init__(self, wid: int, pid: int, channel: str, number: int = 0) -> None:
        self.wid = wid
        self.pid = pid
        self.channel = channel
        self.number = number
        """Its number in the ring."""
        self.ended = False
        """Whether the process has gone."""
        self.end = 0
        """How many bytes it has written so far."""
        self.size = 0
        """How many of them are in the ring."""
        self.begins_whole = True
        """Whether a line begins with the first of these."""


class OutputRing:
    """The last bytes of several streams, in the order in which they came."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._heads = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def append(self, number: int, data: bytes, time: float) -> None:
        """Add a piece; it becomes one with the last, if that is of the same stream and just now."""
        self._data += data
        if self._heads:
            last, size, begin = _HEAD.unpack_from(self._heads, len(self._heads) - _HEAD.size)
            is_close = 0 <= time - begin < _JOINED_SECONDS and size < _JOINED_SIZE
            if last == number and is_close:
                self._set_head(len(self._heads) - _HEAD.size, number, size + len(data), begin)
                return
        self._heads += _HEAD.pack(number, len(data), time)

    def cut(self, limit: int) -> Iterator[tuple[int, bytes]]:
        """Forget all but the last bytes; yield those that go, each piece with its number."""
        excess = len(self._data) - limit
        if excess <= 0:
            return
        start = place = 0
        while start < excess:
            number, size, time = _HEAD.unpack_from(self._heads, place)
            end = min(start + size, excess)
            yield number, bytes(self._data[start:end])
            if start + size > excess:
                self._set_head(place, number, start + size - excess, time)
            else:
                place += _HEAD.size
            start = end
        del self._data[:excess]
        del self._heads[:place]

    def pieces(self) -> Iterator[tuple[int, float, bytes]]:
        """Yield number, time and bytes of each piece, the oldest first."""
        at = 0
        for number, size, time in _HEAD.iter_unpack(self._heads):
            yield number, time, bytes(self._data[at : at + size])
            at += size

    def backwards(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of each piece, the newest first."""
        end = len(self._data)
        for place in range(len(self._heads) - _HEAD.size, -1, -_HEAD.size):
            number, size, _ = _HEAD.unpack_from(self._heads, place)
            yield number, bytes(self._data[end - size : end])
            end -= size

    def _set_head(self, place: int, number: int, size: int, time: float) -> None:
        _HEAD.pack_into(self._heads, place, number, size, time)


class WatcherRecentOutput:
    """What the processes of one watcher have written lately."""

    ENDED = 8
    """Streams of processes that are gone whose views are told, the latest."""

    def __init__(self) -> None:
        self._ring = OutputRing()
        self._streams: dict[int, RecentOutput] = {}
        """By number: all that have bytes in the ring, or may still write."""
        self._by_process: dict[tuple[int, str], RecentOutput] = {}
        self._last_number = 0

    def begin(self, wid: int, pid: int, channel: str) -> RecentOutput:
        """Remember a new process; one of the same pid that was there before has ended."""
        old = self._by_process.get((pid, channel))
        if old is not None:
            self.end(old)
        self._last_number += 1
        recent = RecentOutput(wid, pid, channel, self._last_number)
        self._streams[recent.number] = self._by_process[(pid, channel)] = recent
        return recent

    def note(self, recent: RecentOutput, data: bytes, limit: int, time: float = 0.0) -> None:
        """Remember a piece of output, and no more than so many bytes of all."""
        recent.end += len(data)
        recent.size += len(data)
        self._ring.append(recent.number, data, time)
        for number, gone in self._ring.cut(limit):
            stream = self._streams[number]
            stream.size -= len(gone)
            stream.begins_whole = gone.endswith(b"\n")
            if stream.ended and not stream.size:
                self._forget(stream)

    def end(self, recent: RecentOutput) -> None:
        """Be told that a process is gone; its last output stays until others have written more."""
        recent.ended = True
        if not recent.size:
            self._forget(recent)

    def _forget(self, recent: RecentOutput) -> None:
        self._streams.pop(recent.number, None)
        key = recent.pid, recent.channel
        if self._by_process.get(key) is recent:
            del self._by_process[key]

    def views(self, channel: str, lines: int, wid: int | None = None) -> list[OutputView]:
        """Return the last lines of each process, by slot, those that have ended first."""
        matching = [
            recent
            for recent in self._by_process.values()
            if recent.channel == channel and wid in (None, recent.wid) and recent.end
        ]
        ended = [recent for recent in matching if recent.ended][-self.ENDED :]
        matching = ended + [recent for recent in matching if not recent.ended]
        matching.sort(key=lambda recent: recent.wid)
        numbers = {recent.number for recent in matching}
        texts: dict[int, list[bytes]] = {number: [] for number in numbers}
        for number, _, data in self._ring.pieces():
            if number in numbers:
                texts[number].append(data)
        return [
            OutputView(
                wid=recent.wid,
                pid=recent.pid,
                channel=channel,
                data=_last(b"".join(texts[recent.number]), lines, recent),
                end=recent.end,
                ended=recent.ended,
            )
            for recent in matching
        ]

    def last_of(self, pid: int, lines: int) -> bytes:
        """Return the last lines that a process has written, of all its channels."""
        keys = ((pid, channel) for channel in ("stdout", "stderr"))
        recents = [self._by_process[key] for key in keys if key in self._by_process]
        missing = sum(recent.size for recent in recents)
        texts: dict[int, list[bytes]] = {recent.number: [] for recent in recents}
        pieces = self._ring.backwards()
        while missing:
            number, data = next(pieces)
            if number in texts:
                texts[number].append(data)
                missing -= len(data)
        return b"\n".join(
            _last(b"".join(reversed(texts[recent.number])), lines, recent) for recent in recents
        )

    def lines(self, query: OutputQuery) -> list[OutputLine]:
        """Return the last lines of each slot, all of them in the order in which they came."""
        by_wid: dict[int, list[tuple[int, OutputLine]]] = {}
        for place, line in self._all_lines(query):
            if _matches(line, query):
                by_wid.setdefault(line.wid, []).append((place, line))
        last: list[tuple[int, OutputLine]] = []
        for placed in by_wid.values():
            placed.sort(key=_place)
            last += placed[max(0, len(placed) - query.lines) :]
        last.sort(key=_place)
        return [line for _, line in last]

    def _all_lines(self, query: OutputQuery) -> Iterator[tuple[int, OutputLine]]:
        """Yield every line that is known in full, with its place: where it began to come.

        Of a process whose last line is longer than all that is kept, that one's end.
        """
        unfinished: dict[int, _Unfinished] = {}
        for place, (number, time, data) in enumerate(self._ring.pieces()):
            recent = self._streams[number]
            if not _is_asked_for(recent, query):
                continue
            rest = unfinished.get(number)
            if rest is None:
                rest = unfinished[number] = _Unfinished(is_known=recent.begins_whole)
            for part in BytesIO(data):
                if not rest.data:
                    rest.place, rest.time = place, time
                rest.data += part
                if part.endswith(b"\n"):
                    line = rest.place, rest.line(recent)
                    if rest.is_known:
                        yield line
                    rest.cut = None if rest.is_known else line
                    rest.is_known, rest.data = True, b""
        for number, rest in unfinished.items():
            if rest.data:
                yield rest.place, rest.line(self._streams[number])
            elif rest.cut is not None:
                yield rest.cut


class _Unfinished:
    """A line of which the beginning has come."""

    def __init__(self, *, is_known: bool) -> None:
        self.is_known = is_known
        """Whether that is its true beginning."""
        self.cut: tuple[int, OutputLine] | None = None
        """The end of a longer line, as long as none follows it."""
        self.data = b""
        self.place = 0
        self.time = 0.0

    def line(self, recent: RecentOutput) -> OutputLine:
        """Return it as it is told."""
        return OutputLine(
            recent.wid, recent.pid, recent.channel, self.time, self.data, recent.ended
        )


def _last(text: bytes, lines: int, recent: RecentOutput) -> bytes:
    """Return the last lines, the unfinished one included; those that are known in full."""
    at = len(text) - text.endswith(b"\n")
    for _ in range(lines):
        at = text.rfind(b"\n", 0, at)
        if at < 0:
            return text if recent.begins_whole else text[text.find(b"\n") + 1 :] or text
    return text[at + 1 :]


def _is_asked_for(recent: RecentOutput, query: OutputQuery) -> bool:
    is_its_process = query.wid in (None, recent.wid) and query.pid in (None, recent.pid)
    return is_its_process and recent.channel in query.channels


def _place(placed: tuple[int, OutputLine]) -> int:
    return placed[0]


def _matches(line: OutputLine, query: OutputQuery) -> bool:
    is_recent = query.since is None or line.time >= query.since
    return is_recent and query.text.encode(errors="surrogateescape") in line.data
