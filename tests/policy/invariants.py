"""What holds after every step, and what holds once nothing happens any more."""

from __future__ import annotations

from collections.abc import Mapping

from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.effects import Effect, Spawn
from cvec_circus_core.policy.watcher.hook_questions import BEFORE_STOP, has_passed
from cvec_circus_core.policy.watcher.inputs import Wanted
from cvec_circus_core.policy.watcher.machine import wake_at
from cvec_circus_core.policy.watcher.state import Phase, Slot, WatcherState
from tests.policy.world import World, require


def check_step(state: WatcherState, world: World, effects: list[Effect], most_slots: int) -> None:
    """Hold the machine's books against each other and against the world's."""
    _check_indexes(state)
    _check_counts(state)
    _check_world(state, world)
    if any(isinstance(effect, Spawn) for effect in effects):
        _check_bounds(state, world)
    require(len(state.alarms) <= 64 + 8 * most_slots, "alarms pile up")
    require(len(state.due) <= 64 + 8 * most_slots, "due slots pile up")


def _check_indexes(state: WatcherState) -> None:
    phases: dict[Phase, list[Mapping[int, Slot]]] = {
        Phase.WAITING: [state.waiting],
        Phase.SPAWNING: [state.spawning],
        Phase.ASKING: [state.asking],
        Phase.RUNNING: [state.fresh, state.stale],
        Phase.STOPPING: [state.stopping],
    }
    seats = 0
    for phase, indexes in phases.items():
        for index in indexes:
            seats += len(index)
            for wid, slot in index.items():
                require(slot.wid == wid and state.slots.get(wid) is slot, f"slot {wid} is lost")
                require(slot.phase is phase, f"{slot} stands under {phase}")
    require(seats == len(state.slots), "a slot stands nowhere, or twice")
    there = {slot.pid for slot in (*state.fresh.values(), *state.stale.values())}
    there.update(slot.pid for slot in state.stopping.values())
    require(there == set(state.by_pid), "the index by pid is wrong")
    require(all(slot.pid == pid for pid, slot in state.by_pid.items()), "a pid is mixed up")
    free = set(state.free_wids)
    require(free.isdisjoint(state.slots), "a taken slot is said to be free")
    require(len(free) + len(state.slots) == state.top_wid, "a slot number is lost")


def _check_counts(state: WatcherState) -> None:
    slots = state.slots.values()
    fresh, stale = state.fresh.values(), state.stale.values()
    require(state.ready == sum(slot.ready for slot in fresh), "miscounted the ready")
    require(state.unborn == sum(not slot.born for slot in slots), "miscounted the unborn")
    require(state.unproven == sum(not slot.proven for slot in slots), "miscounted the unproven")
    old = {slot.wid for slot in slots if slot.generation != state.generation}
    require(state.bygone == old, "the older generation is not who it is said to be")
    require(all(slot.stale is None for slot in fresh), "a stale slot counts as fresh")
    require(all(slot.stale is not None for slot in stale), "a fresh slot counts as stale")
    coming = sum(
        slot.phase is not Phase.STOPPING and slot.stale is None and slot.wid not in old
        for slot in slots
    )
    require(state.coming == coming, "miscounted those that are coming")
    ages = [slot.started_at for slot in fresh]
    require(ages == sorted(ages), "the oldest does not stand first")


def _check_world(state: WatcherState, world: World) -> None:
    require(set(state.by_pid) == set(world.told), "the machine believes in other processes")
    require(set(state.spawning) == set(world.asked_for), "a spawn is forgotten")
    require(state.sweeping == set(world.swept_soon), "a sweep is forgotten")
    open_ones = [promise.ticket for promise in state.promises]
    require(len(set(open_ones)) == len(open_ones), "a ticket waits twice")
    require(set(open_ones) == set(world.requests), "a ticket is forgotten")
    require(world.spawned - world.reaped == len(world.told), "spawn and reap do not pair")
    require(state.listening == world.ear, "it is not known whether somebody listens")
    require(state.wanted is Wanted.ON_DEMAND or not world.ear, "listens and wants nothing")
    require(state.wanted is not Wanted.ON_DEMAND or state.spec.on_demand, "waits for nobody")
    if state.wanted in (Wanted.DOWN, Wanted.ON_DEMAND) and has_passed(state, BEFORE_STOP):
        require(not state.fresh and not state.stale, "somebody was not asked to go")
    if state.status is WatcherStatus.STOPPED and state.wanted is not Wanted.DETACHED:
        require(state.is_empty, "stopped, and somebody is there")


def _check_bounds(state: WatcherState, world: World) -> None:
    wanted = state.spec.numprocesses
    most = min(wanted, 1) if state.spec.singleton else state.bounds.most(wanted)
    require(world.population <= most, f"{world.population} processes where {most} may be")


def check_rest(state: WatcherState, world: World) -> None:
    """What holds when nobody wants anything and every process behaves."""
    require(not world.requests, f"tickets {sorted(world.requests)} are never settled")
    require(wake_at(state) is None, "the machine wants to be woken and has nothing to do")
    require(not state.promises, "promises are left")
    if state.wanted is Wanted.DETACHED:
        return
    up = state.wanted is Wanted.UP
    require(not (state.stale or state.stopping or state.waiting), "old slots are left")
    require(not state.asking, "asks for ever")
    require(not state.sweeping, f"still sweeping after {state.sweeping}")
    require(not state.rolling or not up, "a reload never ends")
    require(not state.fallback, "older options wait to be taken back")
    require(world.ear == (state.wanted is Wanted.ON_DEMAND), "does not listen for a connection")
    require(not state.again, "the second half of a restart never comes")
    require(
        state.status is (WatcherStatus.ACTIVE if up else WatcherStatus.STOPPED),
        f"comes to rest {state.status}",
    )
    require(len(world.beings) == (state.target if up else 0), "not as many as wanted")
