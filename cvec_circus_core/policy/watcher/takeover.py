"""Processes that run already: started by an earlier daemon, found by this one.

A found process takes its own slot; where another process has that slot by now, the lowest free one.
It was told of when it was started, so no ``spawn`` event follows, and the hooks about it have been
asked. It is no news to open tickets either: to them it is one of those that stay.

Processes are found before anything else is said to their watcher. One that was stopped is up from
then on, since its processes run, and starts only what is missing; whatever else was wanted at that
moment is for the finder to say, by wishes in the same batch. A watcher that is going down, or that
may not come up any more, asks the found process to go like any other.

Generations are counted on from the latest that was found: older ones are out of date, and a reload
that was half done is brought to its end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.advance import begin_run
from cvec_circus_core.policy.watcher.backoff import expiry
from cvec_circus_core.policy.watcher.effects import Effect
from cvec_circus_core.policy.watcher.hook_questions import BEFORE_START, PASSED
from cvec_circus_core.policy.watcher.inputs import Found, Wanted
from cvec_circus_core.policy.watcher.readiness import await_ready, on_ready
from cvec_circus_core.policy.watcher.state import AlarmKind, Phase, Slot, WatcherState
from cvec_circus_core.policy.watcher.tickets import settle


def on_found(state: WatcherState, found: Found, now: float) -> Iterator[Effect]:
    """Take in a process that runs; one that is known already changes nothing."""
    if found.pid in state.by_pid:
        return
    is_down = state.wanted in (Wanted.DOWN, Wanted.ON_DEMAND)
    is_at_rest = state.status is WatcherStatus.STOPPED and state.is_empty
    if is_down and is_at_rest and not state.final:
        yield from settle(state)
        begin_run(state, now)
        state.gates[BEFORE_START] = PASSED
    if found.generation > state.generation:
        _begin_generation(state, found.generation)
    slot = state.take_slot(found.wid)
    state.leave(slot)
    state.unborn -= 1
    slot.born, slot.phase, slot.pid = True, Phase.RUNNING, found.pid
    slot.started_at, slot.generation = found.started_at, found.generation
    state.by_pid[found.pid] = slot
    _take_place_by_age(state, slot)
    if found.ready:
        on_ready(state, slot)
    else:
        await_ready(state, slot, now)
    if slot.generation != state.generation:
        state.bygone.add(slot.wid)
        state.outdate(slot, ExitReason.RELOADED)
    else:
        slot.expires_at = expiry(found.started_at, 0.0, state.spec)
        if slot.expires_at is not None:
            state.wake(slot.expires_at, AlarmKind.EXPIRE, slot)


def _take_place_by_age(state: WatcherState, slot: Slot) -> None:
    newest = next(reversed(state.fresh.values()), slot)
    state.fresh[slot.wid] = slot
    if newest.started_at > slot.started_at:
        by_age = sorted(state.fresh.values(), key=lambda each: each.started_at)
        state.fresh = OrderedDict((each.wid, each) for each in by_age)


def _begin_generation(state: WatcherState, generation: int) -> None:
    """Let everything be out of date that is here; what only waits comes up in the new one."""
    state.generation = generation
    state.outdated_spawns = len(state.spawning)
    for slot in tuple(state.fresh.values()):
        state.outdate(slot, ExitReason.RELOADED)
    for slot in (*state.waiting.values(), *state.asking.values()):
        slot.generation = generation
    state.bygone = set(state.slots).difference(state.waiting, state.asking)
