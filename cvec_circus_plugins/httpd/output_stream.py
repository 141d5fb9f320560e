"""The output of a watcher for one reader, from what the daemon keeps to what comes: each byte once.

Each piece says where in its process's output it begins. So what was written after the daemon was
asked, and before it had heard that somebody listens, is seen to be missing and asked for; so is
what came too fast. What is not kept any more then is told to be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from cvec_circus_core.api import CallError
from cvec_circus_plugins.commands._output_entries import as_json, bytes_of

LOOK_AGAIN = 0.5
"""Seconds after which it is asked once whether something is missing that nothing later shows."""
_PAUSE = 1.0
"""Seconds between two such questions, at least."""
_ALL_LINES = 10_000
_SOURCES = 2000

Message = Mapping[str, Any]
Source = tuple[int, str]
AskTail = Callable[[Mapping[str, Any]], Awaitable[Message]]


class OutputStream:
    """What one reader was sent, and what is still to be sent."""

    def __init__(self, ask_tail: AskTail, channels: Iterable[str], ends: Iterable[Message]) -> None:
        """``ends`` says how far the reader has the output of each process."""
        self._ask_tail = ask_tail
        self._channels = tuple(channels)
        self._ends = {(end["process_pid"], end["channel"]): int(end["end"]) for end in ends}
        now = asyncio.get_running_loop().time()
        self._asked_at = now - _PAUSE
        self._look_at: float | None = now + LOOK_AGAIN

    @property
    def patience(self) -> float | None:
        """Seconds after which `take` wants to be called though nothing has come."""
        if self._look_at is None:
            return None
        return max(0.0, self._look_at - asyncio.get_running_loop().time())

    async def take(self, piece: Message | None) -> AsyncIterator[Message]:
        """Take a piece that has come, or none; yield what the reader gets of it."""
        now = asyncio.get_running_loop().time()
        is_due = self._look_at is not None and now >= self._look_at
        if is_due or (piece is not None and self._is_beyond(piece, now)):
            self._look_at = None if is_due else self._look_at
            self._asked_at = now
            for missing in await self._missing():
                for message in self._rest(missing):
                    yield message
        if piece is not None and piece["channel"] in self._channels:
            for message in self._rest(piece):
                yield message

    def _is_beyond(self, piece: Message, now: float) -> bool:
        is_late = now - self._asked_at >= _PAUSE
        return is_late and piece["start"] > self._ends.get(_source(piece), 0)

    async def _missing(self) -> list[Message]:
        pieces: list[Message] = []
        for channel in self._channels:
            try:
                reply = await self._ask_tail({"channel": channel, "lines": _ALL_LINES})
            except CallError:
                continue  # What is missing is told to be lost.
            for entry in reply.get("output", ()):
                start = entry["end"] - len(bytes_of(entry))
                pieces.append({**entry, "channel": channel, "start": start})
        return pieces

    def _rest(self, piece: Message) -> Iterator[Message]:
        source, start, data = _source(piece), piece["start"], bytes_of(piece)
        known = self._ends.pop(source, 0)
        self._ends[source] = max(known, start + len(data))
        while len(self._ends) > _SOURCES:
            del self._ends[next(iter(self._ends))]
        if start > known:
            yield {"type": "lost", "output": start - known}
        if start + len(data) > known:
            facts = {key: piece[key] for key in piece if key not in ("encoding", "ended", "end")}
            begin = max(known, start)
            yield {**facts, "type": "output", "start": begin, **as_json(data[begin - start :])}


def _source(piece: Message) -> Source:
    return piece["process_pid"], piece["channel"]
