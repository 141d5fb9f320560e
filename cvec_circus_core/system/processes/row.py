"""One line of the process table."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One process as it was when looked at; ``started`` is in some unit of the system."""

    pid: int
    parent: int
    group: int
    session: int
    started: float
    is_dead: bool = False

    def is_same(self, other: Row | None) -> bool:
        """Tell whether both are the same process, and not two that had the same number."""
        return other is not None and (self.pid, self.started) == (other.pid, other.started)
