"""QueueStream: pieces of output for the program that embeds the daemon."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any

from cvec_circus_core import api
from cvec_circus_core.api import Stream, option

_LOOK_EVERY = 0.5


@dataclass(kw_only=True, eq=False)
class QueueStream(Stream, Queue[Mapping[str, Any]]):
    """Put output into a queue in memory, for others in this process to take.

    It is a queue of the standard library. A full one makes the processes wait. What nobody has
    taken stays there after the end.
    """

    maxsize: int = option(
        1000, api.at_least(api.INTEGER, 0), "pieces that wait at most; 0 for any number"
    )

    def __post_init__(self) -> None:
        """Read all options."""
        super().__post_init__()
        Queue.__init__(self, self.maxsize)

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Put one piece, as soon as there is room."""
        while True:
            try:
                self.put(data, timeout=_LOOK_EVERY)
            except Full:
                continue
            return

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        """Take all that is there now."""
        while True:
            try:
                yield self.get_nowait()
            except Empty:
                return
