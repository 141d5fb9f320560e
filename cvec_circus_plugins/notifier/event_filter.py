"""Which events are told, and how many of them: decided here, without a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from cvec_circus_core.api import name_key


@dataclass(frozen=True, slots=True)
class Choice:
    """Patterns that an event has to match."""

    events: tuple[str, ...]
    watchers: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    def takes(self, watcher: str, event: str, body: Mapping[str, Any]) -> bool:
        """Tell whether an event is one to be told."""
        reason = body.get("reason")
        return (
            any(fnmatchcase(event, one) for one in self.events)
            and any(fnmatchcase(name_key(watcher), name_key(one)) for one in self.watchers)
            and (
                not self.reasons
                or reason is None
                or any(fnmatchcase(str(reason), one) for one in self.reasons)
            )
        )


@dataclass(slots=True)
class Limit:
    """So many within so many seconds; what is more is counted until the next one goes through."""

    at_most: int
    per: float
    left_out: int = 0
    _told: deque[float] = field(default_factory=deque)

    def lets_through(self, now: float) -> bool:
        """Tell whether one more may be told, and count it."""
        while self._told and self._told[0] <= now - self.per:
            self._told.popleft()
        if len(self._told) >= self.at_most:
            self.left_out += 1
            return False
        self._told.append(now)
        return True

    def free_at(self, now: float) -> float:
        """Return when the next one may be told."""
        return self._told[0] + self.per if len(self._told) >= self.at_most else now

    def take_left_out(self) -> int:
        """Return how many were left out since the last time, to be told now."""
        count, self.left_out = self.left_out, 0
        return count
