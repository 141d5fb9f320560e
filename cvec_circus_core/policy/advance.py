"""Close the gap between what is wanted and what is so: once per batch of inputs.

Up: retire what is surplus or out of date, then spawn what is missing, within the bounds of the
rollout. Down: ask everybody to go. Then say what changed (start, stop, reload) and keep promises.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.views import Life
from cvec_circus_core.policy.effects import Effect, Emit, Spawn
from cvec_circus_core.policy.inputs import Wanted
from cvec_circus_core.policy.leaving import ask_to_go
from cvec_circus_core.policy.promises import settle
from cvec_circus_core.policy.record import begin
from cvec_circus_core.policy.rollout import NEW_BEFORE_OLD
from cvec_circus_core.policy.state import Phase, Slot, WatcherState

SPAWNS_UNDER_WAY = 16
"""Spawn effects that may be open at once per watcher: a stop in the middle of a slow start takes
effect after so many at most, and watchers that start together take turns."""


def advance(state: WatcherState, now: float) -> Iterator[Effect]:
    """Yield what closes the gap, and what is to be told."""
    match state.wanted:
        case Wanted.UP:
            yield from _retire_surplus(state, now)
            yield from _retire_stale(state, now)
            yield from _spawn_missing(state, now)
        case Wanted.DOWN:
            yield from _wind_down(state, now)
        case Wanted.ADRIFT:
            _drop_waiting(state, len(state.waiting))
        case _:
            assert_never(state.wanted)
    yield from _tell_life(state, now)
    yield from settle(state)


def _retire_surplus(state: WatcherState, now: float) -> Iterator[Effect]:
    """Stop the oldest beyond the wanted number; those that only wait go first."""
    surplus = state.coming - state.target
    if surplus <= 0:
        return
    surplus -= _drop_waiting(state, surplus)
    for _ in range(min(surplus, len(state.fresh))):
        oldest = next(iter(state.fresh.values()))
        yield from ask_to_go(state, oldest, ExitReason.STOPPED, now)


def _drop_waiting(state: WatcherState, most: int) -> int:
    dropped = list(state.waiting.values())[-most:] if most else []
    for slot in dropped:
        state.leave(slot)
        state.free(slot)
    return len(dropped)


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
    credit = SPAWNS_UNDER_WAY - len(state.spawning)
    while credit > 0 and now >= state.spawn_from:
        slot = _next_due(state) or _next_new(state)
        if slot is None:
            return
        credit -= 1
        if state.spec.warmup_delay > 0:
            state.spawn_from = now + state.spec.warmup_delay
        yield Spawn(slot.wid)


def _next_due(state: WatcherState) -> Slot | None:
    while state.due:
        wid, serial = state.due.popleft()
        slot = state.waiting.get(wid)
        if slot is not None and slot.serial == serial:
            state.leave(slot)
            slot.phase, slot.generation, slot.stale = Phase.SPAWNING, state.generation, None
            slot.leaving = ExitReason.EXITED
            state.spawning[wid] = slot
            return slot
    return None


def _next_new(state: WatcherState) -> Slot | None:
    if not has_room(state):
        return None
    return state.take_slot()


def has_room(state: WatcherState) -> bool:
    """Tell whether one more slot is missing, and the rollout lets it come now."""
    target = state.target
    return state.coming < target and len(state.slots) < state.bounds.most(target)


def _wind_down(state: WatcherState, now: float) -> Iterator[Effect]:
    _drop_waiting(state, len(state.waiting))
    state.due.clear()
    for slot in (*state.fresh.values(), *state.stale.values()):
        yield from ask_to_go(state, slot, ExitReason.STOPPED, now)


def _tell_life(state: WatcherState, now: float) -> Iterator[Effect]:
    """Let the state word follow the facts, with an event at each turn."""
    name = state.spec.name
    if state.wanted is Wanted.UP:
        yield from _tell_up(state)
        if state.life is Life.ACTIVE and _is_spent(state):
            state.wanted = Wanted.DOWN
    if state.wanted is Wanted.UP:
        return
    if not state.is_empty and state.wanted is Wanted.DOWN:
        state.life = Life.STOPPING
        return
    if state.wanted is Wanted.ADRIFT:
        state.life = Life.STOPPED
    elif state.life is not Life.STOPPED:
        state.life = Life.STOPPED
        state.rolling = False
        state.rollout = NEW_BEFORE_OLD
        yield Emit(events.WatcherStopped(name, state.reason))
    if state.again and state.wanted is Wanted.DOWN:
        yield from settle(state)
        begin(state)
        yield from advance(state, now)


def _tell_up(state: WatcherState) -> Iterator[Effect]:
    name = state.spec.name
    if state.life is not Life.ACTIVE:
        state.life = Life.STARTING
        if state.unborn or has_room(state):
            return
        state.life = Life.ACTIVE
        yield Emit(events.WatcherStarted(name))
    if state.rolling and not (state.stale or state.stopping or has_room(state) or state.unborn):
        state.rolling = False
        state.rollout = NEW_BEFORE_OLD
        yield Emit(events.WatcherReloaded(name))


def _is_spent(state: WatcherState) -> bool:
    return not state.spec.respawn and state.spent > 0 and state.is_empty
