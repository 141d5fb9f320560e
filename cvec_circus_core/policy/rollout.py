"""How new processes take the place of old ones.

Restart, reload, max_age and "an option needs new processes" are one idea: a slot is out of date.
The rollout says how many extra processes may be there meanwhile, and how many may be missing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rollout:
    """Bounds while processes are replaced.

    ``surge`` and ``unavailable`` count processes; None means as many as are wanted.
    ``ready_after`` is how many seconds a new process must live to count as ready; it is never less
    than the watcher's warmup_delay.
    """

    surge: int | None = None
    unavailable: int | None = 0
    ready_after: float = 0.0

    def __post_init__(self) -> None:
        """Refuse bounds that would let nothing happen for ever. Raises ValueError."""
        if (self.surge, self.unavailable) == (0, 0):
            raise ValueError("a rollout must allow one process too many or one too few")

    def most(self, wanted: int) -> int:
        """Return how many processes may be there at once."""
        return wanted + (wanted if self.surge is None else self.surge)

    def least_ready(self, wanted: int) -> int:
        """Return how many ready ones must stay while old ones are retired."""
        return max(0, wanted - (wanted if self.unavailable is None else self.unavailable))


NEW_BEFORE_OLD = Rollout()
ONE_BY_ONE = Rollout(surge=0, unavailable=1)
OLD_BEFORE_NEW = Rollout(surge=0, unavailable=None)
