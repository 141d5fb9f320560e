"""A picture of a watcher's state for readers."""

from __future__ import annotations

from cvec_circus_core.model.views import Health, ProcessView, WatcherStatus, WatcherView
from cvec_circus_core.policy.watcher.inputs import Wanted
from cvec_circus_core.policy.watcher.slots import Phase, Slot
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
    return WatcherView(state.spec.name, _status_of(state), health_of(state, now), processes)


def _status_of(state: WatcherState) -> WatcherStatus:
    """Return the state word; a watcher is starting again while all of its processes keep dying."""
    slots = state.slots
    if state.status is not WatcherStatus.ACTIVE or slots.ready or slots.outdated:
        return state.status
    keep_dying = slots.by_wid and all(_keeps_dying(slot) for slot in slots.by_wid.values())
    return WatcherStatus.STARTING if keep_dying else state.status


def _keeps_dying(slot: Slot) -> bool:
    """Tell whether the last deaths of a slot, or failures to start, made it wait."""
    return slot.deaths > 1


def _died_before(slot: Slot) -> bool:
    """Tell whether the deaths before a running process still count, and may go on."""
    return _keeps_dying(slot) and not slot.could_not_start


def health_of(state: WatcherState, now: float) -> Health:
    """Return how the watcher fares; the reason is told while something is amiss."""
    slots = state.slots
    running = len(slots.current) + len(slots.outdated)
    target = state.target if state.wanted is Wanted.UP else 0
    is_amiss = (
        running < target
        or state.status is WatcherStatus.STOPPED
        or any(_died_before(slot) for slot in slots.current.values())
    )
    retry_at = min((slot.retry_at for slot in slots.waiting.values()), default=None)
    return Health(
        running=running,
        wanted=target,
        restarts=state.restarts,
        last_exit=state.last_exit,
        reason=state.reason if is_amiss and not state.completed else state.rollout_error,
        last_death=state.last_death,
        retry_in=None if retry_at is None else max(0.0, retry_at - now),
        completed=state.completed and state.status is WatcherStatus.STOPPED,
    )
