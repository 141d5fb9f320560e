"""A picture of a watcher's state for readers."""

from __future__ import annotations

from cvec_circus_core.model.views import Health, ProcessView, WatcherStatus, WatcherView
from cvec_circus_core.policy.watcher.inputs import Wanted
from cvec_circus_core.policy.watcher.slots import Phase
from cvec_circus_core.policy.watcher.state import WatcherState


def view_of(state: WatcherState, now: float) -> WatcherView:
    """Return what is so, sorted by wid; seconds until a next try count from ``now``."""
    processes = tuple(
        ProcessView(
            slot.wid,
            slot.pid,
            slot.started_at,
            slot.phase is Phase.STOPPING,
            slot.ready,
            slot.status,
        )
        for slot in sorted(state.slots.by_pid.values(), key=lambda slot: slot.wid)
    )
    return WatcherView(state.spec.name, state.status, health_of(state, now), processes)


def health_of(state: WatcherState, now: float) -> Health:
    """Return how the watcher fares; the reason is told while something is amiss."""
    running = len(state.slots.current) + len(state.slots.outdated)
    wanted = state.target if state.wanted is Wanted.UP else 0
    is_short = running < wanted or state.status is WatcherStatus.STOPPED
    retry_at = min((slot.retry_at for slot in state.slots.waiting.values()), default=None)
    return Health(
        running=running,
        wanted=wanted,
        restarts=state.restarts,
        last_exit=state.last_exit,
        reason=state.reason if is_short else state.rollout_error,
        retry_in=None if retry_at is None else max(0.0, retry_at - now),
    )
