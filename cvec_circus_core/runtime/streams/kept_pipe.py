"""A pipe whose output is kept in memory: whose it is, and who remembers what is read of it."""

from __future__ import annotations

from typing import Protocol

from cvec_circus_core.runtime.streams.recent_output import RecentOutput


class KeptPipe:
    """One pipe: whose it is, and what is remembered of it."""

    __slots__ = ("channel", "owner", "pid", "recent", "wid")

    def __init__(self, owner: OutputOwner, wid: int, pid: int, channel: str) -> None:
        self.owner = owner
        self.wid = wid
        self.pid = pid
        self.channel = channel
        self.recent: RecentOutput | None = None


class OutputOwner(Protocol):
    """What remembers what is read: the streams of a watcher."""

    @property
    def name(self) -> str:
        """The watcher's name."""

    def on_kept_output(self, pipe: KeptPipe, data: bytes) -> None:
        """Take a piece of output."""

    def on_kept_end(self, pipe: KeptPipe) -> None:
        """Be told that nothing more will come."""
