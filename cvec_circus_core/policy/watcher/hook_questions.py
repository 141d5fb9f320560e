"""Questions to the operator's hooks: who waits for which answer, and what a no means.

    before_start   asked before the first process; no: the watcher stays stopped
    before_spawn   asked before each process; no: that one is tried again later
    after_spawn    asked while the process runs; before the answer it is not ready and the watcher
                   not active; no: that process is stopped. In a rollout the old ones stay; where
                   others are ready, it is tried again later; else the watcher is stopped
    after_start    asked when all processes are there; no: the watcher is stopped
    before_stop    asked before processes are asked to go; the answer changes nothing

A watcher without hooks asks nobody and waits for nothing. A stop waits for no other answer than
that of before_stop; what is answered too late means nothing. The other hooks are told of what
happened, and the runtime does that (`runtime/watcher_hooks.py`).
"""

from __future__ import annotations

from cvec_circus_core.policy.watcher.effects import AskHook, Spawn
from cvec_circus_core.policy.watcher.facts import RunRefused, StartRefused, StayRefused
from cvec_circus_core.policy.watcher.inputs import HookAnswered
from cvec_circus_core.policy.watcher.readiness import note_ready
from cvec_circus_core.policy.watcher.slots import Phase, Slot
from cvec_circus_core.policy.watcher.state import WatcherState

BEFORE_START, AFTER_START, BEFORE_STOP = "before_start", "after_start", "before_stop"
BEFORE_SPAWN, AFTER_SPAWN = "before_spawn", "after_spawn"

PASSED = 0


def passes(state: WatcherState, hook: str) -> bool:
    """Ask a hook once per run, and tell whether it has answered and lets the watcher go on."""
    if hook not in state.spec.hooks:
        return True
    if hook not in state.gates:
        state.gates[hook] = serial = state.slots.next_serial()
        state.issue(AskHook(hook, serial))
    return state.gates[hook] == PASSED


def has_passed(state: WatcherState, hook: str) -> bool:
    """Tell whether the watcher need not wait for a hook any more."""
    return hook not in state.spec.hooks or state.gates.get(hook) == PASSED


def spawn(state: WatcherState, slot: Slot) -> None:
    """Start the process of a slot, or ask first."""
    if BEFORE_SPAWN not in state.spec.hooks:
        state.issue(Spawn(slot.wid))
        return
    state.slots.move(slot, Phase.ASKING)
    slot.question = state.slots.next_serial()
    state.issue(AskHook(BEFORE_SPAWN, slot.question, slot.wid))


def spawn_approved(state: WatcherState) -> None:
    """Start the processes that a hook has approved, as far as they are still wanted."""
    slots = state.slots
    most = state.bounds.most(state.target)
    while state.approved and len(slots.by_pid) + len(slots.spawning) < most:
        wid, serial = state.approved.popleft()
        slot = slots.asking.get(wid)
        if slot is not None and slot.serial == serial and not slot.question:
            slots.move(slot, Phase.SPAWNING)
            state.issue(Spawn(wid))


def ask_about_started(state: WatcherState, slot: Slot) -> None:
    """Ask about a process that has started; it does not count as ready before the answer."""
    if slot.needs_approval and slot.phase is Phase.RUNNING:
        slot.question = state.slots.next_serial()
        state.issue(AskHook(AFTER_SPAWN, slot.question, slot.wid, slot.pid))


def note_answer(state: WatcherState, answer: HookAnswered, now: float) -> None:
    """Take an answer in, if it is still waited for."""
    if answer.wid is None:
        _note_answer_about_run(state, answer)
        return
    slot = state.slots.by_wid.get(answer.wid)
    if slot is None or slot.question != answer.serial:
        return
    slot.question = 0
    if slot.phase is Phase.ASKING:
        _note_start(state, slot, answer)
    elif slot.phase is Phase.RUNNING and slot.outdated is None:
        _note_stay(state, slot, answer, now)


def _note_answer_about_run(state: WatcherState, answer: HookAnswered) -> None:
    hook = next((name for name, serial in state.gates.items() if serial == answer.serial), None)
    if hook is None:
        return
    state.gates[hook] = PASSED
    if not answer.allowed and hook != BEFORE_STOP:
        state.note(RunRefused(answer.why))


def _note_start(state: WatcherState, slot: Slot, answer: HookAnswered) -> None:
    if answer.allowed:
        state.approved.append((slot.wid, slot.serial))
        return
    state.slots.move(slot, Phase.ENDED)
    state.note(StartRefused(slot, answer.why))


def _note_stay(state: WatcherState, slot: Slot, answer: HookAnswered, now: float) -> None:
    if not answer.allowed:
        state.note(StayRefused(slot, answer.why))
        return
    slot.needs_approval = False
    state.slots.unapproved.discard(slot.wid)
    if slot.is_ready_once_approved:
        note_ready(state, slot, now)
