"""QueueStream: pieces of output for the program that embeds the daemon."""

from __future__ import annotations

from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Stream, option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LOOK_EVERY = 0.5


@dataclass(kw_only=True, eq=False)
class QueueStream(Stream):
    """Put output into a queue in memory, for others in this process to take.

    A full queue makes the processes wait. What nobody has taken stays there after the end.
    """

    maxsize: int = option(
        1000, api.at_least(api.INTEGER, 0), "pieces that wait at most; 0 for any number"
    )
    queue: Queue[Mapping[str, Any]] = field(init=False, repr=False)
    _is_closed: bool = field(init=False, repr=False, default=False)

    def __post_init__(self) -> None:
        """Read all options."""
        super().__post_init__()
        self.queue = Queue(self.maxsize)

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Put one piece, as soon as there is room."""
        while True:
            try:
                self.queue.put(data, timeout=_LOOK_EVERY)
            except Full:
                continue
            return

    def get(self, timeout: float | None = None) -> Mapping[str, Any] | None:
        """Take the oldest piece, or None where none came within so many seconds."""
        try:
            return self.queue.get(timeout=timeout)
        except Empty:
            return None

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Take all that is there now."""
        while not self.queue.empty():
            yield self.queue.get_nowait()
