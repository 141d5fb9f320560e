"""What happens to one process: it comes, does not come, is ready, grows too old, ends.

A process that ends unasked leaves its slot waiting: for nothing after a first death, longer and
longer after quick ones. Where respawn is off it has ended for good: its slot is given back and the
target is one less (`spent`); the same goes for one that is stopped by hand or grows too old.

A process that can not be started is tried again with the same pauses, ``max_retry`` times; then the
watcher is stopped, unless this happens in a rollout and there is something older to go back to.
"""

from __future__ import annotations

from collections.abc import Iterator

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.kinds import signal_name
from cvec_circus_core.policy.watcher.backoff import expiry, is_quick, pause_after
from cvec_circus_core.policy.watcher.effects import Effect, Emit, KillLeftovers
from cvec_circus_core.policy.watcher.hook_questions import ask_after_spawn
from cvec_circus_core.policy.watcher.inputs import Exited, Spawned, SpawnFailed, Wanted
from cvec_circus_core.policy.watcher.process_stop import end_for_good, grace_of
from cvec_circus_core.policy.watcher.readiness import await_ready
from cvec_circus_core.policy.watcher.retries import wait
from cvec_circus_core.policy.watcher.rollouts import abandon, can_go_back, is_hopeless
from cvec_circus_core.policy.watcher.state import AlarmKind, Phase, Slot, WatcherState
from cvec_circus_core.policy.watcher.tickets import give_up, note_ended, note_spawned


def on_spawned(state: WatcherState, said: Spawned, now: float) -> Iterator[Effect]:
    """Take a new process in; one that a reload has overtaken is out of date at once."""
    slot = state.slots[said.wid]
    state.leave(slot)
    state.unborn -= not slot.born
    slot.born = True
    slot.phase, slot.pid, slot.started_at = Phase.RUNNING, said.pid, now
    slot.failures, slot.ready, slot.kill_at = 0, False, None
    slot.is_ready_when_let = False
    slot.leaving, slot.status = ExitReason.EXITED, None
    slot.interval, slot.watch_at = 0.0, None
    state.by_pid[said.pid] = slot
    state.fresh[slot.wid] = slot
    questions = tuple(ask_after_spawn(state, slot))
    await_ready(state, slot, now)
    if slot.generation != state.generation:
        state.outdate(slot, ExitReason.RELOADED)
    else:
        slot.expires_at = expiry(now, said.chance, state.spec)
        if slot.expires_at is not None:
            state.wake(slot.expires_at, AlarmKind.EXPIRE, slot)
    note_spawned(state, said.pid)
    yield Emit(events.ProcessSpawned(state.spec.name, slot.wid, said.pid))
    yield from questions


def on_expired(state: WatcherState, slot: Slot) -> None:
    """Let a process be replaced because of its age, or end for good where respawn is off."""
    state.outdate(slot, ExitReason.EXPIRED)
    if not state.spec.respawn:
        end_for_good(state)


def on_spawn_failed(state: WatcherState, said: SpawnFailed, now: float) -> Iterator[Effect]:
    """Try again later, go back to what was before, or give up."""
    slot = state.slots[said.wid]
    state.leave(slot)
    if slot.generation != state.generation:
        # A try that a reload, or the way back from one, has overtaken says nothing about today's.
        state.free(slot)
        yield Emit(events.SpawnFailed(state.spec.name, slot.wid, said.reason, None))
        return
    slot.failures += 1
    slot.quick_deaths += 1
    if state.wanted is Wanted.UP:
        state.reason = said.reason
    hopeless = is_hopeless(state, slot.failures)
    again = state.wanted is Wanted.UP and not hopeless
    pause = pause_after(slot.quick_deaths, state.spec)
    yield Emit(events.SpawnFailed(state.spec.name, slot.wid, said.reason, pause if again else None))
    if again:
        wait(state, slot, pause, now)
        return
    state.free(slot)
    if state.wanted is Wanted.UP:
        why = f"{said.reason} ({slot.failures} tries)"
        if can_go_back(state):
            yield from abandon(state, why, now)
        else:
            yield from give_up(state, why)


def on_exited(state: WatcherState, said: Exited, now: float) -> Iterator[Effect]:
    """Tell of the end, stop what was left behind, and free the slot or let it wait."""
    slot = state.by_pid.pop(said.pid)
    asked = slot.phase is Phase.STOPPING
    was_stale = slot.stale is not None
    grace = _grace_left(state, slot, now)
    if not asked and not was_stale and state.is_replacing and not slot.proven:
        # The rollout answers for it; whoever counts deaths of what should be up must not.
        slot.leaving = ExitReason.UNREADY
    state.leave(slot)
    state.last_exit = said.code
    note_ended(state, said.pid)
    yield Emit(events.ProcessReaped(state.spec.name, slot.wid, said.pid, said.code, slot.leaving))
    if said.left_behind and state.wanted is not Wanted.DETACHED:
        state.sweeping.add(said.pid)
        yield KillLeftovers(said.pid, state.spec.stop_signal, grace)
    if asked or was_stale or state.wanted is not Wanted.UP:
        state.free(slot)
    else:
        yield from _on_unasked_death(state, slot, said, now)


def _grace_left(state: WatcherState, slot: Slot, now: float) -> float:
    if slot.phase is not Phase.STOPPING:
        return grace_of(state)
    return 0.0 if slot.kill_at is None else max(0.0, slot.kill_at - now)


def _on_unasked_death(
    state: WatcherState, slot: Slot, said: Exited, now: float
) -> Iterator[Effect]:
    if not state.spec.respawn or (state.spec.on_demand and said.code == 0):
        state.free(slot)
        end_for_good(state)
        return
    state.restarts += 1
    if is_quick(now - slot.started_at, state.spec):
        slot.quick_deaths += 1
    else:
        slot.quick_deaths = 0
    state.reason = _death_note(said)
    if slot.ready:
        slot.ready_by = None
    slot.misses += not slot.ready
    wait(state, slot, pause_after(slot.quick_deaths, state.spec), now)
    if state.is_replacing and slot.misses and is_hopeless(state, slot.misses):
        yield from abandon(state, f"{state.reason} ({slot.misses} tries)", now)


def _death_note(said: Exited) -> str:
    if said.code is None:
        return "a process ended, its exit status is not known"
    if said.code < 0:
        return f"a process was ended by {signal_name(-said.code)}"
    return f"a process exited with {said.code}"
