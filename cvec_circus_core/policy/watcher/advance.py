"""Close the gap between what is wanted and what is so: once per batch of inputs.

Up: retire what is surplus or out of date, then spawn what is missing, within the bounds of the
rollout. Down: ask everybody to go. Then say what changed (start, stop, reload) and keep promises.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import assert_never

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.activation import note_begin, on_run_over, sync_listening
from cvec_circus_core.policy.watcher.effects import Effect, Emit
from cvec_circus_core.policy.watcher.hook_questions import (
    AFTER_START,
    BEFORE_START,
    BEFORE_STOP,
    has_passed,
    passes,
    spawn,
    spawn_let,
)
from cvec_circus_core.policy.watcher.inputs import Wanted
from cvec_circus_core.policy.watcher.process_stop import ask_to_go
from cvec_circus_core.policy.watcher.readiness import begin_try
from cvec_circus_core.policy.watcher.retries import drop_all_idle, drop_idle
from cvec_circus_core.policy.watcher.state import Phase, Slot, WatcherState
from cvec_circus_core.policy.watcher.tickets import note_leaving, settle

SPAWNS_UNDER_WAY = 16
"""Spawn effects that may be open at once per watcher: a stop in the middle of a slow start takes
effect after so many at most, and watchers that start together take turns."""


def advance(state: WatcherState, now: float) -> Iterator[Effect]:
    """Yield what closes the gap, and what is to be told."""
    match state.wanted:
        case Wanted.UP:
            if (yield from passes(state, BEFORE_START)):
                yield from _retire_surplus(state, now)
                yield from _retire_stale(state, now)
                yield from spawn_let(state)
                yield from _spawn_missing(state, now)
        case Wanted.DOWN | Wanted.ON_DEMAND:
            yield from _wind_down(state, now)
        case Wanted.DETACHED:
            drop_all_idle(state)
        case _:
            assert_never(state.wanted)
    yield from _tell_life(state, now)
    yield from sync_listening(state, now)
    yield from settle(state)


def _retire_surplus(state: WatcherState, now: float) -> Iterator[Effect]:
    """Stop the oldest beyond the wanted number; those that only wait go first.

    Nobody has to go for one that is on its way and might never come.
    """
    surplus = state.coming - state.target
    if surplus <= 0:
        return
    surplus -= drop_idle(state, surplus)
    for _ in range(min(surplus, len(state.fresh) - state.target)):
        oldest = next(iter(state.fresh.values()))
        note_leaving(state, oldest.pid)
        yield from ask_to_go(state, oldest, ExitReason.STOPPED, now)


def _retire_stale(state: WatcherState, now: float) -> Iterator[Effect]:
    """Let old processes go while enough ready ones stay."""
    target = state.target
    least = state.bounds.least_ready(target)
    while state.stale:
        oldest = next(iter(state.stale.values()))
        if state.ready + len(state.stale) - 1 < least:
            return
        yield from ask_to_go(state, oldest, oldest.stale or ExitReason.RELOADED, now)


def _spawn_missing(state: WatcherState, now: float) -> Iterator[Effect]:
    credit = SPAWNS_UNDER_WAY - state.under_way
    while credit > 0 and now >= state.spawn_from:
        slot = _next_due(state) or _next_new(state)
        if slot is None:
            return
        credit -= 1
        state.last_spawn_at = now
        begin_try(state, slot, now)
        yield spawn(state, slot)


def _next_due(state: WatcherState) -> Slot | None:
    while state.due:
        wid, serial = state.due[0]
        slot = state.waiting.get(wid)
        holds = slot is not None and slot.serial == serial
        if holds and state.alive >= state.bounds.most(state.target):
            return None
        state.due.popleft()
        if slot is not None and holds:
            state.leave(slot)
            slot.phase = Phase.SPAWNING
            state.spawning[wid] = slot
            return slot
    return None


def _next_new(state: WatcherState) -> Slot | None:
    return state.take_slot() if _has_room(state) else None


def _has_room(state: WatcherState) -> bool:
    """Tell whether one more slot is missing, and the rollout lets it come now."""
    target = state.target
    return state.coming < target and len(state.slots) < state.bounds.most(target)


def may_spawn(state: WatcherState) -> bool:
    """Tell whether a spawn waits for nothing but the warmup_delay."""
    if state.under_way >= SPAWNS_UNDER_WAY or not has_passed(state, BEFORE_START):
        return False
    retry = bool(state.due) and state.alive < state.bounds.most(state.target)
    return retry or _has_room(state)


def _wind_down(state: WatcherState, now: float) -> Iterator[Effect]:
    drop_all_idle(state)
    state.due.clear()
    if not (state.fresh or state.stale):
        return
    if not state.hasty and not (yield from passes(state, BEFORE_STOP)):
        return
    for slot in (*state.fresh.values(), *state.stale.values()):
        yield from ask_to_go(state, slot, ExitReason.STOPPED, now)


def _tell_life(state: WatcherState, now: float) -> Iterator[Effect]:
    """Let the state word follow the facts, with an event at each turn."""
    name = state.spec.name
    if state.wanted is Wanted.UP:
        yield from _tell_up(state)
        # A run so short that it is over already has kept its promises all the same.
        yield from settle(state)
        if state.status is WatcherStatus.ACTIVE and _is_spent(state):
            _end_run(state, now)
    if state.wanted is Wanted.UP:
        return
    if not state.is_empty and state.wanted is not Wanted.DETACHED:
        state.status = WatcherStatus.STOPPING
        return
    # Nothing is left that was started by older options.
    state.fallback = None
    if state.wanted is Wanted.DETACHED:
        state.status = WatcherStatus.STOPPED
    elif state.status is not WatcherStatus.STOPPED:
        state.status = WatcherStatus.STOPPED
        yield Emit(events.WatcherStopped(name, state.reason, state.gave_up))
    if state.again and state.wanted is not Wanted.DETACHED:
        yield from settle(state)
        begin_run(state, now)
        yield from advance(state, now)


def _end_run(state: WatcherState, now: float) -> None:
    if state.spec.on_demand:
        on_run_over(state, now)
    else:
        state.wanted, state.reason = Wanted.DOWN, "all processes have ended, respawn is off"


def begin_run(state: WatcherState, now: float) -> None:
    """Start over: nothing of an earlier run counts any more."""
    note_begin(state, now)
    state.wanted, state.again, state.hasty = Wanted.UP, False, False
    state.rolling, state.rollout, state.fallback = False, None, None
    state.setback, state.gave_up = None, False
    state.gates.clear()
    state.reason, state.spent, state.last_spawn_at = None, 0, -inf


def _tell_up(state: WatcherState) -> Iterator[Effect]:
    name = state.spec.name
    complete = not state.unborn and state.coming >= state.target
    complete = complete and not state.held and has_passed(state, BEFORE_START)
    if state.status is not WatcherStatus.ACTIVE:
        state.status = WatcherStatus.STARTING
        if complete and (yield from passes(state, AFTER_START)):
            state.status = WatcherStatus.ACTIVE
            yield Emit(events.WatcherStarted(name))
    if state.rolling and complete and not state.bygone and not state.unproven:
        state.rolling, state.rollout, state.fallback = False, None, None
        yield Emit(events.WatcherReloaded(name))


def _is_spent(state: WatcherState) -> bool:
    return state.spent > 0 and state.target == 0 and state.is_empty
