"""How new processes take the place of old ones.

Restart, reload, max_age and "an option needs new processes" are one idea: a slot is out of date.
The rollout says how many extra processes may be there meanwhile, and how many may be missing. A new
process counts once it is ready (`model/readiness.py`).
"""

from __future__ import annotations

from cvec_circus_core.model.amounts import ALL, NONE, Amount
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct


class Rollout(Struct, frozen=True):
    """Bounds while processes are replaced."""

    surge: Amount = ALL
    unavailable: Amount = NONE

    def __post_init__(self) -> None:
        """Refuse bounds that would let nothing happen for ever. Raises ValueError."""
        if not (self.surge.number or self.unavailable.number):
            raise ValueError("a rollout must allow one process too many or one too few")

    def most(self, wanted: int) -> int:
        """Return how many processes may be there at once."""
        return wanted + self.surge.most(wanted)

    def least_ready(self, wanted: int) -> int:
        """Return how many ready ones must stay while old ones are retired."""
        missing = self.unavailable.least(wanted)
        if not missing and self.most(wanted) == wanted:
            # A tenth of three is none: with no extra one either, nothing would ever happen.
            missing = 1
        return max(0, wanted - missing)


NEW_BEFORE_OLD = Rollout()
ONE_BY_ONE = Rollout(surge=NONE, unavailable=Amount(1))
OLD_BEFORE_NEW = Rollout(surge=NONE, unavailable=ALL)


def rollout_of(spec: WatcherSpec) -> Rollout:
    """Return the bounds that a watcher lives by when nothing else is asked."""
    if spec.singleton:
        return OLD_BEFORE_NEW
    return Rollout(spec.rollout_surge, spec.rollout_unavailable)
