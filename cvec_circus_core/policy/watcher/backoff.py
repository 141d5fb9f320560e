"""How long a slot waits after a death: a crash loop can not eat the machine.

The first death is answered at once. Quick deaths in a row wait 0.1, 0.2, 0.4 … up to 10 seconds
(DESIGN §3); a life that is not quick starts over. All numbers are options of the watcher.
"""

from __future__ import annotations

from cvec_circus_core.model.specs import WatcherSpec


def pause_after(quick_deaths: int, spec: WatcherSpec) -> float:
    """Return the seconds to wait after this many quick deaths in a row."""
    if quick_deaths <= 1 or spec.retry_pause <= 0:
        return 0.0
    # Past 2**40 the doubling says nothing new, and would overflow a float one day.
    doublings = min(quick_deaths - 2, 40)
    return float(min(spec.retry_pause * 2.0**doublings, spec.retry_pause_max))


def is_quick(lived: float, spec: WatcherSpec) -> bool:
    """Tell whether a life of so many seconds counts as a quick death."""
    return lived < spec.quick_death


def expiry(started_at: float, chance: float, spec: WatcherSpec) -> float | None:
    """Return when a process that started then is too old, or None. Drawn once per process."""
    if spec.max_age <= 0:
        return None
    return started_at + spec.max_age + chance * spec.max_age_variance
