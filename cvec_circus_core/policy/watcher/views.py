"""A picture of a watcher's state for readers."""

from __future__ import annotations

from cvec_circus_core.model.views import Health, ProcessView, WatcherStatus, WatcherView
from cvec_circus_core.policy.watcher.inputs import Wanted
from cvec_circus_core.policy.watcher.state import Phase, WatcherState


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
        for slot in sorted(state.by_pid.values(), key=lambda one: one.wid)
    )
    return WatcherView(state.spec.name, state.status, health_of(state, now), processes)


def health_of(state: WatcherState, now: float) -> Health:
    """Return how the watcher fares; the reason is told while something is amiss."""
    running = len(state.fresh) + len(state.stale)
    wanted = state.target if state.wanted is Wanted.UP else 0
    short = running < wanted or state.status is WatcherStatus.STOPPED
    due = [slot.due_at for slot in state.waiting.values()]
    return Health(
        running=running,
        wanted=wanted,
        restarts=state.restarts,
        last_exit=state.last_exit,
        reason=state.reason if short else state.setback,
        retry_in=max(0.0, min(due) - now) if due else None,
    )
