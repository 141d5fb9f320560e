"""How often a password may be tried: a few times at once, then ever more slowly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

AT_ONCE = 5
EACH = 30.0
"""Seconds after which one more attempt is free."""
_REMEMBERED = 10_000


@dataclass(slots=True)
class _Failures:
    count: float
    at: float


class AttemptLimit:
    """Counts failures by address and by name."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures: dict[str, _Failures] = {}

    def seconds_to_wait(self, *accounts: str) -> float:
        """Return how long the next attempt has to wait; 0 where it need not."""
        return max((self._wait_of(account) for account in accounts), default=0.0)

    def failed(self, *accounts: str) -> None:
        """Count a failure."""
        now = self._now()
        for account in accounts:
            if account not in self._failures and len(self._failures) >= _REMEMBERED:
                self._forget_old(now)
            self._failures[account] = _Failures(self._count(account, now) + 1, now)

    def succeeded(self, *accounts: str) -> None:
        """Forget the failures."""
        for account in accounts:
            self._failures.pop(account, None)

    def _wait_of(self, account: str) -> float:
        over = self._count(account, self._now()) + 1 - AT_ONCE
        return max(0.0, over * EACH)

    def _count(self, account: str, now: float) -> float:
        failures = self._failures.get(account)
        return 0.0 if failures is None else max(0.0, failures.count - (now - failures.at) / EACH)

    def _forget_old(self, now: float) -> None:
        kept = {
            account: failures
            for account, failures in self._failures.items()
            if self._count(account, now) > 0
        }
        # Where somebody fails by the thousand, the oldest make room.
        self._failures = dict(list(kept.items())[_REMEMBERED // 10 :]) if kept else {}
