"""What holds after every step, and what holds once nothing happens any more."""

from __future__ import annotations

from collections.abc import Mapping

from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.effects import Effect, Signal, Spawn
from cvec_circus_core.policy.watcher.hook_questions import BEFORE_STOP, has_passed
from cvec_circus_core.policy.watcher.inputs import Exited, HookAnswered, Input, SpawnFailed, Wanted
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.slots import Phase, Slot
from cvec_circus_core.policy.watcher.state import WatcherState
from tests.policy.world import World, require


def check_step(state: WatcherState, world: World, effects: list[Effect], most_slots: int) -> None:
    """Hold the machine's books against each other and against the world's."""
    _check_indexes(state)
    _check_counts(state)
    _check_world(state, world)
    if any(isinstance(effect, Spawn) for effect in effects):
        _check_bounds(state, world)
    require(len(state.alarms.heap) <= 64 + 8 * most_slots, "alarms pile up")
    require(len(state.due) <= 64 + 8 * most_slots, "due slots pile up")


def _check_indexes(state: WatcherState) -> None:
    phases: dict[Phase, list[Mapping[int, Slot]]] = {
        Phase.WAITING: [state.slots.waiting],
        Phase.SPAWNING: [state.slots.spawning],
        Phase.ASKING: [state.slots.asking],
        Phase.RUNNING: [state.slots.current, state.slots.outdated],
        Phase.STOPPING: [state.slots.stopping],
        Phase.ENDED: [state.slots.ended],
    }
    seats = 0
    for phase, indexes in phases.items():
        for index in indexes:
            seats += len(index)
            for wid, slot in index.items():
                require(
                    slot.wid == wid and state.slots.by_wid.get(wid) is slot, f"slot {wid} is lost"
                )
                require(slot.phase is phase, f"{slot} stands under {phase}")
    require(not state.slots.ended, "an end was not decided on")
    require(not state.facts and not state.effects, "something was left for the next step")
    require(seats == len(state.slots.by_wid), "a slot stands nowhere, or twice")
    there = {slot.pid for slot in (*state.slots.current.values(), *state.slots.outdated.values())}
    there.update(slot.pid for slot in state.slots.stopping.values())
    require(there == set(state.slots.by_pid), "the index by pid is wrong")
    require(all(slot.pid == pid for pid, slot in state.slots.by_pid.items()), "a pid is mixed up")
    require(
        not state.gave_up or state.wanted is Wanted.DOWN,
        "gave up, and wants something all the same",
    )
    free = set(state.slots.free_wids)
    require(free.isdisjoint(state.slots.by_wid), "a taken slot is said to be free")
    require(len(free) + len(state.slots.by_wid) == state.slots.top_wid, "a slot number is lost")


def _check_counts(state: WatcherState) -> None:
    slots = state.slots.by_wid.values()
    fresh, stale = state.slots.current.values(), state.slots.outdated.values()
    require(state.slots.ready == sum(slot.ready for slot in fresh), "miscounted the ready")
    require(
        state.slots.never_spawned == sum(not slot.has_spawned for slot in slots),
        "miscounted the unborn",
    )
    require(
        state.slots.not_yet_ready == sum(not slot.was_ready for slot in slots),
        "miscounted the unproven",
    )
    old = {slot.wid for slot in slots if slot.generation != state.slots.generation}
    require(
        state.slots.previous_generation == old, "the older generation is not who it is said to be"
    )
    require(all(slot.outdated is None for slot in fresh), "a stale slot counts as fresh")
    require(all(slot.outdated is not None for slot in stale), "a fresh slot counts as stale")
    coming = sum(
        slot.phase is not Phase.STOPPING and slot.outdated is None and slot.wid not in old
        for slot in slots
    )
    require(state.slots.coming == coming, "miscounted those that are coming")
    ages = [slot.started_at for slot in fresh]
    require(ages == sorted(ages), "the oldest does not stand first")


def _check_world(state: WatcherState, world: World) -> None:
    require(set(state.slots.by_pid) == set(world.told), "the machine believes in other processes")
    require(set(state.slots.spawning) == set(world.asked_for), "a spawn is forgotten")
    require(state.leftovers == set(world.swept_soon), "a sweep is forgotten")
    open_ones = [promise.ticket for promise in state.tickets]
    require(len(set(open_ones)) == len(open_ones), "a ticket waits twice")
    require(set(open_ones) == set(world.requests), "a ticket is forgotten")
    require(world.spawned - world.reaped == len(world.told), "spawn and reap do not pair")
    require(state.listening == world.ear, "it is not known whether somebody listens")
    require(state.wanted is Wanted.ON_DEMAND or not world.ear, "listens and wants nothing")
    require(state.wanted is not Wanted.ON_DEMAND or state.spec.on_demand, "waits for nobody")
    if state.wanted in (Wanted.DOWN, Wanted.ON_DEMAND) and has_passed(state, BEFORE_STOP):
        require(
            not state.slots.current and not state.slots.outdated, "somebody was not asked to go"
        )
    if state.status is WatcherStatus.STOPPED and state.wanted is not Wanted.DETACHED:
        require(state.is_empty, "stopped, and somebody is there")


def _check_bounds(state: WatcherState, world: World) -> None:
    wanted = state.spec.numprocesses
    most = min(wanted, 1) if state.spec.singleton else state.bounds.most(wanted)
    require(world.population <= most, f"{world.population} processes where {most} may be")


def check_given_up(state: WatcherState, batch: list[Input], effects: list[Effect]) -> None:
    """What holds when a watcher has just been given up."""
    has_answer = any(isinstance(received, HookAnswered) for received in batch)
    is_asked_for = state.spec.max_retry >= 0 or state.spec.on_failure != "retry" or has_answer
    require(is_asked_for, "gave up, and neither an option nor a hook wants that")
    require(state.fatal == (state.spec.on_failure == "exit"), "the daemon ends, or not")
    if len(batch) == 1 and isinstance(batch[0], SpawnFailed | Exited):
        signals = [effect for effect in effects if isinstance(effect, Signal)]
        require(not signals, "stops processes because another one can not be started")


def check_rest(state: WatcherState, world: World) -> None:
    """What holds when nobody wants anything and every process behaves."""
    require(not world.requests, f"tickets {sorted(world.requests)} are never settled")
    require(wake_at(state) is None, "the machine wants to be woken and has nothing to do")
    require(not state.tickets, "promises are left")
    if state.wanted is Wanted.DETACHED:
        return
    up = state.wanted is Wanted.UP
    require(
        not (state.slots.outdated or state.slots.stopping or state.slots.waiting),
        "old slots are left",
    )
    require(not state.slots.asking, "asks for ever")
    require(not state.leftovers, f"still sweeping after {state.leftovers}")
    require(not state.rolling or not up, "a reload never ends")
    require(not state.previous_spec, "older options wait to be taken back")
    require(world.ear == (state.wanted is Wanted.ON_DEMAND), "does not listen for a connection")
    require(not state.restart_when_down, "the second half of a restart never comes")
    require(
        state.status is (WatcherStatus.ACTIVE if up else WatcherStatus.STOPPED),
        f"comes to rest {state.status}",
    )
    require(len(world.beings) == (state.target if up else 0), "not as many as wanted")
