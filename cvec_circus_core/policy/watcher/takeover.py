"""Processes that run already: started by an earlier daemon, found by this one.

A found process takes its own slot; where another process has that slot by now, the lowest free one.
It was told of when it was started, so no ``spawn`` event follows, and the hooks about it have been
asked. It is no news to open tickets either: to them it is one of those that stay.

Processes are found before anything else is said to their watcher. One that was stopped is up from
then on, since its processes run, and starts only what is missing; whatever else was wanted at that
moment is for the finder to say, by wishes in the same batch. A watcher that is going down, or that
may not come up any more, asks the found process to go like any other.

Where it is remembered what an earlier daemon wanted, that is told before, and nothing of this needs
to be guessed: what was wanted, stopped, given up or half done goes on as it was.

Generations are counted on from the latest that was found: older ones are out of date, and a reload
that was half done is brought to its end.
"""

from __future__ import annotations

from math import inf

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.advance import begin_run
from cvec_circus_core.policy.watcher.alarms import AlarmKind
from cvec_circus_core.policy.watcher.backoff import expiry
from cvec_circus_core.policy.watcher.hook_questions import AFTER_START, BEFORE_START, PASSED
from cvec_circus_core.policy.watcher.inputs import Found, FoundWaiting, Remembered, Wanted
from cvec_circus_core.policy.watcher.process import ask_to_go, kill_now
from cvec_circus_core.policy.watcher.readiness import await_ready, note_ready
from cvec_circus_core.policy.watcher.slots import Phase, Slot
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.tickets import settle

_LONG_AGO = 1e9
"""Seconds; a run that began before this daemon was no quick one."""


def memory_of(state: WatcherState) -> Remembered:
    """Return what a later daemon has to know of a watcher, beside its spec and its processes."""
    return Remembered(
        state.wanted,
        state.status,
        state.restart_when_down,
        state.reason,
        state.gave_up,
        state.fatal,
        state.slots.generation,
        state.rolling,
        state.never_waits,
        state.finished,
        state.quick_runs,
        state.restarts,
        state.last_exit,
        state.last_death,
        state.run_began_at > -inf,
    )


def note_remembered(state: WatcherState, memory: Remembered, now: float) -> None:
    """Go on where an earlier daemon was; one that went down goes on with that."""
    if memory.wanted is Wanted.UP:
        begin_run(state, now)
        state.gates[BEFORE_START] = PASSED
        if memory.status is WatcherStatus.ACTIVE:
            state.gates[AFTER_START] = PASSED
    state.want(
        memory.wanted,
        memory.reason,
        restart_when_down=memory.restart_when_down,
        gave_up=memory.gave_up,
        fatal=memory.fatal,
    )
    state.status, state.rolling = memory.status, memory.rolling
    state.never_waits, state.finished = memory.never_waits, memory.finished
    state.quick_runs, state.restarts = memory.quick_runs, memory.restarts
    state.last_exit, state.last_death = memory.last_exit, memory.last_death
    if memory.has_run and state.run_began_at == -inf:
        state.run_began_at = now - _LONG_AGO
    if memory.generation > state.slots.generation:
        state.slots.begin_generation(memory.generation)


def note_found(state: WatcherState, found: Found, now: float) -> None:
    """Take in a process that runs; one that is known already changes nothing."""
    slots = state.slots
    if found.pid in slots.by_pid:
        return
    is_down = state.wanted in (Wanted.DOWN, Wanted.ON_DEMAND)
    is_at_rest = state.status is WatcherStatus.STOPPED and state.is_empty
    if is_down and is_at_rest and not state.closed:
        settle(state)
        begin_run(state, now)
        state.gates[BEFORE_START] = PASSED
    if found.generation > slots.generation:
        _begin_generation(state, found.generation)
    slot = slots.open(found.wid)
    slot.begin_process(found.pid, found.started_at)
    slots.move(slot, Phase.RUNNING)
    if found.ready:
        note_ready(state, slot, now)
    else:
        await_ready(state, slot, now)
    slot.deaths, slot.bad_ends = found.deaths, found.bad_ends
    slot.unready_ends = found.unready_ends
    slots.settle_in(slot, found.generation)
    if found.leaving is not None:
        ask_to_go(state, slot, found.leaving, now)
        if found.leaving is ExitReason.KILLED:
            kill_now(state, slot)
    elif slot.wid in slots.current:
        expires_at = expiry(found.started_at, 0.0, state.spec)
        slot.expires_at = expires_at and (found.expires_at or expires_at)
        if slot.expires_at is not None:
            state.wake(slot.expires_at, AlarmKind.EXPIRE, slot)


def as_found(slot: Slot) -> Found:
    """Return what a later daemon has to know of a process."""
    return Found(
        slot.wid,
        slot.pid,
        slot.started_at,
        slot.generation,
        slot.ready,
        slot.deaths,
        slot.bad_ends,
        slot.unready_ends,
        slot.expires_at,
        slot.exit_reason if slot.phase is Phase.STOPPING else None,
    )


def as_found_waiting(slot: Slot) -> FoundWaiting:
    """Return what a later daemon has to know of a slot that waits."""
    return FoundWaiting(
        slot.wid,
        slot.retry_at,
        slot.deaths,
        slot.bad_ends,
        slot.failed_tries,
        slot.spawn_failures,
        slot.unready_ends,
        slot.was_ready,
    )


def note_found_waiting(state: WatcherState, found: FoundWaiting) -> None:
    """Let a slot wait for the rest of its pause; of a watcher that is down none does."""
    slots = state.slots
    if state.wanted is not Wanted.UP or found.wid in slots.by_wid:
        return
    slot = slots.open(found.wid)
    slot.deaths, slot.bad_ends = found.deaths, found.bad_ends
    slot.failed_tries, slot.spawn_failures = found.failed_tries, found.spawn_failures
    slot.unready_ends, slot.retry_at = found.unready_ends, found.retry_at
    slots.count_as_spawned(slot, was_ready=found.was_ready)
    slots.move(slot, Phase.WAITING)
    state.wake(slot.retry_at, AlarmKind.RETRY, slot)


def _begin_generation(state: WatcherState, generation: int) -> None:
    """Let everything be out of date that is here; what only waits comes up in the new one."""
    slots = state.slots
    slots.begin_generation(generation)
    for slot in tuple(slots.current.values()):
        slots.outdate(slot, ExitReason.RELOADED)
    for slot in (*slots.waiting.values(), *slots.asking.values(), *slots.ended.values()):
        slots.make_current(slot)
