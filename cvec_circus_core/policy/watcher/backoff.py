"""How long a slot waits after a death: a crash loop can not eat the machine.

The first death is answered at once, further ones in a row after 0.1, 0.2, 0.4 … up to 60 seconds. A
process is stable when it is ready and has lived for ten seconds: then no death before it counts any
more. A normal exit (0) is no death, unless it is so quick that the program has done nothing; it
makes no row of deaths shorter, either. All numbers are options of the watcher.
"""

from __future__ import annotations

from cvec_circus_core.model.option_kinds import RETRY
from cvec_circus_core.model.specs import WatcherSpec

FAILURES_ALLOWED = 5
"""So many in a row where on_failure asks for giving up and max_retry sets no limit."""


def pause_after(deaths: int, spec: WatcherSpec) -> float:
    """Return the seconds to wait after this many deaths in a row."""
    if deaths <= 1 or spec.retry_pause <= 0:
        return 0.0
    # Past 2**40 the doubling says nothing new, and would overflow a float one day.
    doublings = min(deaths - 2, 40)
    return float(min(spec.retry_pause * 2.0**doublings, spec.retry_pause_max))


def is_quick(lived: float, spec: WatcherSpec) -> bool:
    """Tell whether so many seconds are too few for a run that ends normally."""
    return lived < spec.quick_death


def is_death(code: int | None, lived: float, spec: WatcherSpec) -> bool:
    """Tell whether an end that nobody asked for counts."""
    return code != 0 or is_quick(lived, spec)


def failures_allowed(spec: WatcherSpec) -> int | None:
    """Return how many failures in a row are the end of a watcher, or None for no limit."""
    if spec.max_retry >= 0:
        return max(1, spec.max_retry)
    return None if spec.on_failure == RETRY else FAILURES_ALLOWED


def expiry(started_at: float, chance: float, spec: WatcherSpec) -> float | None:
    """Return when a process that started then is too old, or None. Drawn once per process."""
    if spec.max_age <= 0:
        return None
    return started_at + spec.max_age + chance * spec.max_age_variance
