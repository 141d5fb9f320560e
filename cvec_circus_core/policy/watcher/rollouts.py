"""A new generation of processes, and the way back where it does not get ready.

A rollout fails when a new process takes longer than ready_timeout, when new ones keep ending before
they are ready (three of them in one slot, or max_retry), or can not be started that often. Then

* old processes that still run stay, and are up to date again;
* new ones that are ready have taken an old one's place and keep it, the others are stopped;
* options that made the rollout necessary are taken back, so what is missing is started by the old
  ones, and so is whatever ends later;
* a caller who waits for the rollout is told why it failed.

Where a new process ends because its address is in use, an old one is likely to hold it. A changed
option is brought all the same: old ones are stopped before new ones start, and come back if the new
ones can not do without them either. A plain reload leaves them, and says what helps.

Where neither an old process nor an old spec is left to go back to (a reload of a singleton, say),
nothing is stopped: the new ones are taken as they are.
"""

from __future__ import annotations

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.socket_use import socket_use
from cvec_circus_core.policy.watcher.alarms import AlarmKind
from cvec_circus_core.policy.watcher.backoff import expiry
from cvec_circus_core.policy.watcher.effects import Emit
from cvec_circus_core.policy.watcher.process import ask_to_go
from cvec_circus_core.policy.watcher.readiness import take_as_it_is
from cvec_circus_core.policy.watcher.rollout import OLD_BEFORE_NEW, Rollout
from cvec_circus_core.policy.watcher.slots import Phase, Slot
from cvec_circus_core.policy.watcher.spec_change import taken_back
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.tickets import fail_rollout, fail_unready

ADDRESS_HINT = (
    "its address is in use, and the old process holds it: use a managed socket, or restart"
)

TRIES = 3
"""So many failures in a row are enough where max_retry sets no limit."""


def begin_rollout(state: WatcherState, rollout: Rollout | None) -> None:
    """Begin a new generation: what runs is out of date, what waits may be tried at once."""
    slots = state.slots
    state.rollout, state.rolling, state.rollout_error = rollout, True, None
    slots.begin_generation()
    ready = [slot for slot in slots.current.values() if slot.ready]
    unready = [slot for slot in slots.current.values() if not slot.ready]
    # Each that is not ready is put before all others, so the oldest comes last.
    for slot in (*ready, *reversed(unready)):
        slots.outdate(slot, ExitReason.RELOADED)
    state.due.clear()
    for slot in (*slots.waiting.values(), *slots.asking.values(), *slots.ended.values()):
        slots.start_over(slot)
    state.due.extend((slot.wid, slot.serial) for slot in slots.waiting.values())


def judge_late(state: WatcherState, slot: Slot, now: float) -> None:
    """Fail the rollout whose process is not ready in time, or take the process as it is."""
    slot.ready_by = None
    if slot.phase is Phase.STOPPING or slot.outdated is not None or slot.ready:
        return
    seconds = f"{state.spec.ready_timeout:g} s"
    if state.is_replacing:
        pid = None
        why = f"no process was ready in {seconds}"
        if slot.phase is Phase.RUNNING:
            pid = slot.pid
            why = f"process {pid} was not ready in {seconds}"
        if state.reason and slot.unready_ends:
            why = f"{why}; {state.reason}"
        abandon(state, why, now, pid)
    elif slot.phase is Phase.RUNNING:
        why = f"process {slot.pid} was not ready in {seconds}; it is left as it is"
        fail_unready(state, why, slot.pid)
    take_as_it_is(state, slot, now)


def is_hopeless(state: WatcherState, tries: int) -> bool:
    """Tell whether so many failures in a row are enough to go back to what was before."""
    limit = state.spec.max_retry if state.spec.max_retry >= 0 else TRIES
    return 0 < tries >= limit


def can_go_back(state: WatcherState) -> bool:
    """Tell whether something older is left that works."""
    return state.is_replacing and (bool(state.slots.outdated) or state.previous_spec is not None)


def may_stop_old_first(state: WatcherState) -> bool:
    """Tell whether old processes may go before new ones are ready, as their address is needed.

    Only for a changed option, which can be taken back. With managed sockets no old process holds
    what a new one needs.
    """
    if state.previous_spec is None:
        return False
    return not (state.spec.use_sockets or socket_use(state.spec, ()).names)


def stop_old_first(state: WatcherState, slot: Slot) -> None:
    """Go on with the rollout, old before new; the tries so far say nothing of the new ones."""
    state.rollout = OLD_BEFORE_NEW
    state.slots.start_over(slot)
    state.due.append((slot.wid, slot.serial))


def abandon(state: WatcherState, why: str, now: float, pid: int | None = None) -> None:
    """End a rollout that does not succeed; ``pid`` is the process that has failed."""
    slots, back = state.slots, can_go_back(state)
    state.rollout_error, state.rolling, state.rollout = why, False, None
    state.issue(Emit(events.WatcherRolloutFailed(state.spec.name, why)))
    fail_rollout(state, f"{why}; {_what_stays(state)}", pid)
    if not back:
        return
    _take_back_options(state)
    for slot in tuple(slots.current.values()):
        if not slot.ready:
            ask_to_go(state, slot, ExitReason.STOPPED, now)
    for slot in (*slots.waiting.values(), *slots.asking.values()):
        if not slot.was_ready:
            slots.free(slot)
    _reinstate(state, now)


def _what_stays(state: WatcherState) -> str:
    if state.slots.outdated:
        return "the old processes stay"
    return "the old options stay" if state.previous_spec is not None else "nothing older is left"


def _take_back_options(state: WatcherState) -> None:
    previous, state.previous_spec = state.previous_spec, None
    if previous is None:
        return
    spec, keys = taken_back(state.spec, previous)
    state.use_spec(spec)
    for key in keys:
        state.issue(Emit(events.OptionUpdated(spec.name, key)))


def _reinstate(state: WatcherState, now: float) -> None:
    """Let the old processes be up to date again; what is on its way comes too late."""
    slots = state.slots
    for slot, why in slots.reinstate_outdated():
        slots.mark_ready(slot)
        if slot.expires_at is None:
            continue
        if why is ExitReason.EXPIRED or slot.expires_at <= now:
            # Not at once, or it would go round and round.
            slot.expires_at = expiry(now, 0.0, state.spec)
        if slot.expires_at is not None:
            state.wake(slot.expires_at, AlarmKind.EXPIRE, slot)
    for slot in (*slots.waiting.values(), *slots.asking.values(), *slots.ended.values()):
        if slot.was_ready:
            slots.make_current(slot)
