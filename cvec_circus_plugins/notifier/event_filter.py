"""Which events are told, and how many of them: decided here, without a clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from cvec_circus_core.api import name_key


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Patterns that an event has to match."""

    events: tuple[str, ...]
    watchers: tuple[str, ...]
    reasons: tuple[str, ...] = ()

    def matches(self, watcher: str, event: str, body: Mapping[str, Any]) -> bool:
        """Tell whether an event is one to be told."""
        reason = body.get("reason")
        return (
            any(fnmatchcase(event, pattern) for pattern in self.events)
            and any(fnmatchcase(name_key(watcher), name_key(pattern)) for pattern in self.watchers)
            and (
                not self.reasons
                or reason is None
                or any(fnmatchcase(str(reason), pattern) for pattern in self.reasons)
            )
        )


@dataclass(slots=True)
class RateLimit:
    """So many within so many seconds; what is more is counted until the next one goes through."""

    at_most: int
    per: float
    left_out: int = 0
    _admitted_at: deque[float] = field(default_factory=deque)

    def admit(self, now: float) -> bool:
        """Tell whether one more may be told, and count it."""
        while self._admitted_at and self._admitted_at[0] <= now - self.per:
            self._admitted_at.popleft()
        if len(self._admitted_at) >= self.at_most:
            self.left_out += 1
            return False
        self._admitted_at.append(now)
        return True

    def next_free_at(self, now: float) -> float:
        """Return when the next one may be told."""
        return self._admitted_at[0] + self.per if len(self._admitted_at) >= self.at_most else now

    def take_left_out(self) -> int:
        """Return how many were left out since the last time, to be told now."""
        count, self.left_out = self.left_out, 0
        return count
