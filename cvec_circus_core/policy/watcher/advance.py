"""Close the gap between what is wanted and what is so: once per batch of inputs.

First what was noted is judged. Then, up: stop what is surplus or out of date, and spawn what is
missing, within the bounds of the rollout. Down: ask every process to go. At last tell what changed
(start, stop, reload) and settle tickets.
"""

from __future__ import annotations

from math import inf
from typing import assert_never

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.option_kinds import RETRY
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.activation import end_run, note_run, sync_listening
from cvec_circus_core.policy.watcher.effects import Emit
from cvec_circus_core.policy.watcher.hook_questions import (
    AFTER_START,
    BEFORE_START,
    BEFORE_STOP,
    has_passed,
    passes,
    spawn,
    spawn_approved,
)
from cvec_circus_core.policy.watcher.inputs import Wanted
from cvec_circus_core.policy.watcher.process import ask_to_go, drop_all_idle, drop_idle
from cvec_circus_core.policy.watcher.readiness import begin_try
from cvec_circus_core.policy.watcher.slots import Phase, Slot
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.tickets import give_up, note_surplus, settle
from cvec_circus_core.policy.watcher.verdicts import judge_facts

SPAWNS_UNDER_WAY = 16
"""Spawn effects that may be open at once per watcher: a stop in the middle of a slow start takes
effect after so many at most, and watchers that start together take turns."""


def advance(state: WatcherState, now: float) -> None:
    """Decide, and issue what closes the gap and what is to be told."""
    judge_facts(state, now)
    _close_gap(state, now)
    sync_listening(state, now)
    settle(state)


def _close_gap(state: WatcherState, now: float) -> None:
    match state.wanted:
        case Wanted.UP:
            if passes(state, BEFORE_START):
                _stop_surplus(state, now)
                _stop_outdated(state, now)
                spawn_approved(state)
                _spawn_missing(state, now)
        case Wanted.DOWN | Wanted.ON_DEMAND:
            _wind_down(state, now)
        case Wanted.DETACHED:
            drop_all_idle(state)
        case _:
            assert_never(state.wanted)
    _tell_status(state, now)


def _stop_surplus(state: WatcherState, now: float) -> None:
    """Stop the oldest beyond the wanted number; those that only wait go first.

    None has to go for one that is on its way and might never be there.
    """
    surplus = state.slots.coming - state.target
    if surplus <= 0:
        return
    surplus -= drop_idle(state, surplus)
    for _ in range(min(surplus, len(state.slots.current) - state.target)):
        oldest = next(iter(state.slots.current.values()))
        note_surplus(state, oldest.pid)
        ask_to_go(state, oldest, ExitReason.STOPPED, now)


def _stop_outdated(state: WatcherState, now: float) -> None:
    """Let old processes go while enough ready ones stay."""
    slots = state.slots
    least = state.bounds.least_ready(state.target)
    while slots.outdated and slots.ready + len(slots.outdated) - 1 >= least:
        oldest = next(iter(slots.outdated.values()))
        ask_to_go(state, oldest, oldest.outdated or ExitReason.RELOADED, now)


def _spawn_missing(state: WatcherState, now: float) -> None:
    credit = SPAWNS_UNDER_WAY - state.slots.under_way
    while credit > 0 and now >= state.spawn_from:
        slot = _next_due(state) or _next_new(state)
        if slot is None:
            return
        credit -= 1
        state.last_spawn_at = now
        begin_try(state, slot, now)
        spawn(state, slot)


def _next_due(state: WatcherState) -> Slot | None:
    slots = state.slots
    while state.due:
        wid, serial = state.due[0]
        slot = slots.waiting.get(wid)
        is_due = slot is not None and slot.serial == serial
        if is_due and slots.alive >= state.bounds.most(state.target):
            return None
        state.due.popleft()
        if slot is not None and is_due:
            slots.move(slot, Phase.SPAWNING)
            return slot
    return None


def _next_new(state: WatcherState) -> Slot | None:
    return state.slots.open() if _has_room(state) else None


def _has_room(state: WatcherState) -> bool:
    """Tell whether one more slot is missing, and the rollout lets it be opened now."""
    target = state.target
    slots = state.slots
    return slots.coming < target and len(slots.by_wid) < state.bounds.most(target)


def may_spawn(state: WatcherState) -> bool:
    """Tell whether a spawn waits for nothing but the warmup_delay."""
    if state.slots.under_way >= SPAWNS_UNDER_WAY or not has_passed(state, BEFORE_START):
        return False
    may_retry = bool(state.due) and state.slots.alive < state.bounds.most(state.target)
    return may_retry or _has_room(state)


def _wind_down(state: WatcherState, now: float) -> None:
    drop_all_idle(state)
    state.due.clear()
    slots = state.slots
    if not (slots.current or slots.outdated):
        return
    if state.kill_at_once or passes(state, BEFORE_STOP):
        for slot in (*slots.current.values(), *slots.outdated.values()):
            ask_to_go(state, slot, ExitReason.STOPPED, now)


def _tell_status(state: WatcherState, now: float) -> None:
    """Let the state word follow the facts, with an event at each turn."""
    name = state.spec.name
    if state.wanted is Wanted.UP:
        _tell_up(state)
        # A run so short that it is over already has reached its goals all the same.
        settle(state)
        if state.status is WatcherStatus.ACTIVE and _is_finished(state):
            _end_run(state, now)
    if state.wanted is Wanted.UP:
        return
    is_detached = state.wanted is Wanted.DETACHED
    if not state.is_empty and not is_detached:
        state.status = WatcherStatus.STOPPING
        return
    # Nothing is left that was started by older options.
    state.previous_spec = None
    if state.status is not WatcherStatus.STOPPED:
        state.status = WatcherStatus.STOPPED
        if not is_detached:
            state.issue(Emit(events.WatcherStopped(name, state.reason, state.gave_up, state.fatal)))
    if state.restart_when_down and not is_detached:
        settle(state)
        begin_run(state, now)
        _close_gap(state, now)


def _end_run(state: WatcherState, now: float) -> None:
    if state.spec.on_demand:
        end_run(state, now)
    elif state.bad_end is not None and state.spec.on_failure != RETRY:
        give_up(state, f"{state.bad_end}, and respawn is off")
    elif state.bad_end is None and state.last_death in state.spec.exit_codes:
        state.want(Wanted.DOWN, "all processes have ended", completed=True)
    else:
        state.want(Wanted.DOWN, "all processes have ended, respawn is off")


def begin_run(state: WatcherState, now: float) -> None:
    """Start over: nothing of an earlier run counts any more."""
    note_run(state, now)
    state.want(Wanted.UP)
    state.kill_at_once = False
    state.rolling, state.rollout, state.previous_spec = False, None, None
    state.rollout_error = None
    state.gates.clear()
    state.finished, state.bad_end, state.last_spawn_at = 0, None, -inf


def _tell_up(state: WatcherState) -> None:
    name, slots = state.spec.name, state.slots
    is_complete = (
        not slots.never_spawned
        and slots.coming >= state.target
        and not slots.unapproved
        and has_passed(state, BEFORE_START)
    )
    if state.status is not WatcherStatus.ACTIVE:
        state.status = WatcherStatus.STARTING
        if is_complete and passes(state, AFTER_START):
            state.status = WatcherStatus.ACTIVE
            state.issue(Emit(events.WatcherStarted(name)))
    is_renewed = is_complete and not slots.previous_generation and not slots.not_yet_ready
    if state.rolling and is_renewed:
        state.rolling, state.rollout, state.previous_spec = False, None, None
        state.issue(Emit(events.WatcherReloaded(name)))


def _is_finished(state: WatcherState) -> bool:
    return state.finished > 0 and state.target == 0 and state.is_empty
