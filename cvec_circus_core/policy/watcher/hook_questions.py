"""Questions to the operator's hooks: who waits for which answer, and what a no means.

    before_start   asked before the first process; no: the watcher stays stopped
    before_spawn   asked before each process; no: that one is tried again later
    after_spawn    asked while the process runs; before the answer it is not ready and the watcher
                   not active; no: the watcher is stopped, or in a rollout the old processes stay
    after_start    asked when all processes are there; no: the watcher is stopped
    before_stop    asked before anybody is asked to go; the answer changes nothing

A watcher without hooks asks nobody and waits for nothing. A stop waits for no other answer than
that of before_stop; what is answered too late means nothing. The other hooks are told of what
happened, and the runtime does that (`runtime/watcher_hooks.py`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from cvec_circus_core.model import events
from cvec_circus_core.policy.watcher.backoff import pause_after
from cvec_circus_core.policy.watcher.effects import AskHook, Effect, Emit, Spawn
from cvec_circus_core.policy.watcher.inputs import HookAnswered, Wanted
from cvec_circus_core.policy.watcher.readiness import on_ready
from cvec_circus_core.policy.watcher.retries import wait
from cvec_circus_core.policy.watcher.rollouts import abandon, can_go_back
from cvec_circus_core.policy.watcher.state import Phase, Slot, WatcherState
from cvec_circus_core.policy.watcher.tickets import fail_delayed, give_up

BEFORE_START, AFTER_START, BEFORE_STOP = "before_start", "after_start", "before_stop"
BEFORE_SPAWN, AFTER_SPAWN = "before_spawn", "after_spawn"

PASSED = 0
_SURELY_PAUSED = 2
"""As many quick deaths as make a slot wait: a hook that says no is not asked again at once."""


def passes(state: WatcherState, hook: str) -> Generator[Effect, None, bool]:
    """Ask a hook once per run, and return whether it has answered and lets the watcher go on."""
    if hook not in state.spec.hooks:
        return True
    if hook not in state.gates:
        state.gates[hook] = serial = state.next_serial()
        yield AskHook(hook, serial)
    return state.gates[hook] == PASSED


def has_passed(state: WatcherState, hook: str) -> bool:
    """Tell whether a hook of the whole watcher stands in nobody's way any more."""
    return hook not in state.spec.hooks or state.gates.get(hook) == PASSED


def spawn(state: WatcherState, slot: Slot) -> Effect:
    """Start the process of a slot, or ask first."""
    if BEFORE_SPAWN not in state.spec.hooks:
        return Spawn(slot.wid)
    state.leave(slot)
    slot.phase, slot.question = Phase.ASKING, state.next_serial()
    state.asking[slot.wid] = slot
    return AskHook(BEFORE_SPAWN, slot.question, slot.wid)


def spawn_let(state: WatcherState) -> Iterator[Effect]:
    """Start the processes that a hook has let start, as far as they are still wanted."""
    most = state.bounds.most(state.target)
    while state.let and len(state.by_pid) + len(state.spawning) < most:
        wid, serial = state.let.popleft()
        slot = state.asking.get(wid)
        if slot is not None and slot.serial == serial and not slot.question:
            state.leave(slot)
            slot.phase = Phase.SPAWNING
            state.spawning[wid] = slot
            yield Spawn(wid)


def ask_after_spawn(state: WatcherState, slot: Slot) -> Iterator[Effect]:
    """Ask about a process that has come; it does not count as ready before the answer."""
    slot.question, slot.is_held = 0, False
    if AFTER_SPAWN in state.spec.hooks:
        slot.question, slot.is_held = state.next_serial(), True
        state.held.add(slot.wid)
        yield AskHook(AFTER_SPAWN, slot.question, slot.wid, slot.pid)


def on_answered(state: WatcherState, said: HookAnswered, now: float) -> Iterator[Effect]:
    """Take an answer in, if anybody still waits for it."""
    if said.wid is not None:
        slot = state.slots.get(said.wid)
        if slot is None or slot.question != said.serial:
            return
        slot.question = 0
        if slot.phase is Phase.ASKING:
            yield from _on_may_spawn(state, slot, said, now)
        elif slot.phase is Phase.RUNNING and slot.stale is None:
            yield from _on_spawned_answer(state, slot, said, now)
        return
    hook = next((one for one, serial in state.gates.items() if serial == said.serial), None)
    if hook is None:
        return
    state.gates[hook] = PASSED
    if not said.allowed and hook != BEFORE_STOP and state.wanted is Wanted.UP:
        yield from give_up(state, said.why)


def _on_may_spawn(
    state: WatcherState, slot: Slot, said: HookAnswered, now: float
) -> Iterator[Effect]:
    if said.allowed:
        state.let.append((slot.wid, slot.serial))
        return
    state.leave(slot)
    slot.quick_deaths = max(slot.quick_deaths + 1, _SURELY_PAUSED)
    pause = pause_after(slot.quick_deaths, state.spec)
    state.reason = said.why
    yield Emit(events.SpawnFailed(state.spec.name, slot.wid, said.why, pause))
    if state.wanted is Wanted.UP:
        yield from fail_delayed(state, said.why)
    wait(state, slot, pause, now)


def _on_spawned_answer(
    state: WatcherState, slot: Slot, said: HookAnswered, now: float
) -> Iterator[Effect]:
    if said.allowed:
        slot.is_held = False
        state.held.discard(slot.wid)
        if slot.is_ready_when_let:
            on_ready(state, slot)
    elif can_go_back(state):
        yield from abandon(state, said.why, now)
    elif state.wanted is Wanted.UP:
        yield from give_up(state, said.why)
