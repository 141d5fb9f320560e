"""A new generation of processes, and the way back where it does not get ready.

A rollout fails when a new process takes longer than ready_timeout, when new ones keep ending before
they are ready (max_retry of them in one slot), or can not be started that often. Then

* old processes that still run stay, and are up to date again;
* new ones that are ready have taken an old one's place and keep it, the others are stopped;
* options that made the rollout necessary are taken back, so what is missing is started by the old
  ones, and so is whatever ends later;
* who waits for the rollout is told why it failed.

Where neither an old process nor an old spec is left to go back to (a reload of a singleton, say),
nothing is stopped: the new ones are taken as they are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.policy.watcher.backoff import expiry
from cvec_circus_core.policy.watcher.effects import Effect, Emit
from cvec_circus_core.policy.watcher.process_stop import ask_to_go
from cvec_circus_core.policy.watcher.readiness import take_as_it_is
from cvec_circus_core.policy.watcher.rollout import Rollout
from cvec_circus_core.policy.watcher.spec_change import taken_back
from cvec_circus_core.policy.watcher.state import AlarmKind, Phase, Slot, WatcherState
from cvec_circus_core.policy.watcher.tickets import fail_rollout


def begin_rollout(state: WatcherState, rollout: Rollout | None) -> None:
    """Begin a new generation: whoever runs is out of date, whoever waits may try at once."""
    state.rollout, state.rolling, state.setback = rollout, True, None
    state.generation += 1
    state.outdated_spawns = len(state.spawning)
    ready = [slot for slot in state.fresh.values() if slot.ready]
    unready = [slot for slot in state.fresh.values() if not slot.ready]
    # Each that is not ready is put before all others, so the oldest comes last.
    for slot in (*ready, *reversed(unready)):
        state.outdate(slot, ExitReason.RELOADED)
    state.due.clear()
    for slot in state.waiting.values():
        _start_over(state, slot)
        state.due.append((slot.wid, slot.serial))
    for slot in state.asking.values():
        _start_over(state, slot)
    state.bygone = set(state.slots).difference(state.waiting, state.asking)


def _start_over(state: WatcherState, slot: Slot) -> None:
    slot.generation, slot.due_at, slot.ready_by = state.generation, 0.0, None
    slot.quick_deaths = slot.failures = slot.misses = 0
    state.unborn += slot.born
    state.unproven += slot.proven
    slot.born = slot.proven = False


def on_late(state: WatcherState, slot: Slot, now: float) -> Iterator[Effect]:
    """A slot has not brought forth a ready process in time."""
    slot.ready_by = None
    if slot.phase is Phase.STOPPING or slot.stale is not None or slot.ready:
        return
    if state.is_replacing:
        seconds = f"{state.spec.ready_timeout:g} s"
        why = f"no process was ready in {seconds}"
        if slot.phase is Phase.RUNNING:
            why = f"process {slot.pid} was not ready in {seconds}"
        if state.reason and slot.misses:
            why = f"{why}; {state.reason}"
        yield from abandon(state, why, now)
    yield from take_as_it_is(state, slot)


def is_hopeless(state: WatcherState, tries: int) -> bool:
    """Tell whether so many failures in a row are enough."""
    return 0 <= state.spec.max_retry <= tries


def can_go_back(state: WatcherState) -> bool:
    """Tell whether something older is left that works."""
    return state.is_replacing and (bool(state.stale) or state.fallback is not None)


def abandon(state: WatcherState, why: str, now: float) -> Iterator[Effect]:
    """End a rollout that does not succeed."""
    back = can_go_back(state)
    state.setback, state.rolling, state.rollout = why, False, None
    yield Emit(events.RolloutFailed(state.spec.name, why))
    yield from fail_rollout(state, f"{why}; {_what_stays(state)}")
    if not back:
        return
    yield from _take_back_options(state)
    for slot in tuple(state.fresh.values()):
        if not slot.ready:
            yield from ask_to_go(state, slot, ExitReason.STOPPED, now)
    for slot in (*state.waiting.values(), *state.asking.values()):
        if not slot.proven:
            state.leave(slot)
            state.free(slot)
    _rehabilitate(state, now)


def _what_stays(state: WatcherState) -> str:
    if state.stale:
        return "the old processes stay"
    return "the old options stay" if state.fallback is not None else "nothing older is left"


def _take_back_options(state: WatcherState) -> Iterator[Effect]:
    before, state.fallback = state.fallback, None
    if before is None:
        return
    spec, keys = taken_back(state.spec, before)
    state.live_by(spec)
    for key in keys:
        yield Emit(events.OptionUpdated(spec.name, key))


def _rehabilitate(state: WatcherState, now: float) -> None:
    """Let the old processes be up to date again; what is on its way comes too late."""
    state.generation += 1
    state.outdated_spawns = len(state.spawning)
    idle = (*state.waiting.values(), *state.asking.values())
    for slot in (*state.fresh.values(), *idle, *state.stale.values()):
        slot.generation = state.generation
    old = list(state.stale.values())
    state.stale.clear()
    for slot in old:
        _count_again(state, slot, now)
    together = (*state.fresh.values(), *old)
    state.fresh = OrderedDict(
        (slot.wid, slot) for slot in sorted(together, key=lambda one: one.started_at)
    )
    state.bygone = {slot.wid for slot in (*state.spawning.values(), *state.stopping.values())}


def _count_again(state: WatcherState, slot: Slot, now: float) -> None:
    expired, slot.stale = slot.stale is ExitReason.EXPIRED, None
    state.unproven -= not slot.proven
    slot.ready = slot.proven = True
    state.ready += 1
    if slot.expires_at is not None:
        if expired or slot.expires_at <= now:
            # Not at once, or it would go round and round.
            slot.expires_at = expiry(now, 0.0, state.spec)
        if slot.expires_at is not None:
            state.wake(slot.expires_at, AlarmKind.EXPIRE, slot)
