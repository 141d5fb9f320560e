"""What follows from a fact: a process is tried again, replaced or killed, a watcher gives up.

Facts are judged once per step, when all its inputs are known. A slot that has changed its phase
since a fact was noted is left alone.
"""

from __future__ import annotations

from typing import assert_never

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.kinds import UNEXPECTED
from cvec_circus_core.model.option_kinds import RETRY
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.signal_names import signal_name
from cvec_circus_core.policy.watcher.backoff import failures_allowed, is_death, pause_after
from cvec_circus_core.policy.watcher.effects import (
    Emit,
    KillLeftovers,
    Reach,
    Settle,
    Signal,
)
from cvec_circus_core.policy.watcher.facts import (
    CouldNotStart,
    Fact,
    GraceOver,
    HangupAsked,
    HasteAsked,
    PingMissed,
    ProcessEnded,
    ProcessStarted,
    ReadyLate,
    RunRefused,
    StartRefused,
    StayRefused,
    StopAsked,
)
from cvec_circus_core.policy.watcher.hook_questions import ask_about_started
from cvec_circus_core.policy.watcher.inputs import TicketId, Wanted
from cvec_circus_core.policy.watcher.process import (
    ask_again,
    ask_to_go,
    finish,
    kill_now,
    retry_later,
)
from cvec_circus_core.policy.watcher.readiness import abort_unresponsive, is_stable
from cvec_circus_core.policy.watcher.rollouts import (
    ADDRESS_HINT,
    TRIES,
    abandon,
    can_go_back,
    is_hopeless,
    judge_late,
    may_stop_old_first,
    stop_old_first,
)
from cvec_circus_core.policy.watcher.slots import Phase, Slot
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.tickets import fail_unready, give_up

_SIGHUP, _SIGKILL = 1, 9
_ADDRESS_PAUSE = 0.2
"""Seconds until an address is tried again that is about to be free."""
_SURELY_PAUSED = 2
"""As many deaths as make a slot wait: a hook that says no is not asked again at once."""


def judge_facts(state: WatcherState, now: float) -> None:
    """Decide on everything that was noted in this step."""
    facts, state.facts = state.facts, []
    for fact in facts:
        _judge(state, fact, now)


def _judge(state: WatcherState, fact: Fact, now: float) -> None:
    match fact:
        case ProcessStarted(slot):
            ask_about_started(state, slot)
        case ProcessEnded():
            _judge_end(state, fact, now)
        case CouldNotStart():
            _judge_failed_start(state, fact, now)
        case StartRefused(slot, why):
            _judge_refused_start(state, slot, why, now)
        case StayRefused(slot, why):
            _judge_refused_stay(state, slot, why, now)
        case RunRefused(why):
            if state.wanted is Wanted.UP:
                give_up(state, why)
        case StopAsked():
            _stop_one(state, fact, now)
        case HangupAsked(ticket):
            _hang_up(state, ticket)
        case HasteAsked():
            _kill_what_stops(state)
        case GraceOver(slot):
            kill_now(state, slot)
        case ReadyLate(slot):
            judge_late(state, slot, now)
        case PingMissed(slot):
            abort_unresponsive(state, slot, now)
        case _:
            assert_never(fact)


def _judge_end(state: WatcherState, fact: ProcessEnded, now: float) -> None:
    """Stop what a process left behind, and free its slot or let it wait."""
    slot = fact.slot
    if fact.left_behind and state.wanted is not Wanted.DETACHED:
        state.leftovers.add(fact.pid)
        state.issue(KillLeftovers(fact.pid, state.spec.stop_signal, fact.grace))
    is_overtaken = slot.generation != state.slots.generation
    if fact.was_to_go or is_overtaken or state.wanted is not Wanted.UP:
        state.slots.free(slot)
    else:
        _judge_unasked_end(state, fact, now)


def _judge_unasked_end(state: WatcherState, fact: ProcessEnded, now: float) -> None:
    slot = fact.slot
    spec, is_normal = state.spec, fact.code in state.spec.exit_codes
    if not spec.respawn or (is_normal and (spec.on_demand or spec.respawn == UNEXPECTED)):
        if not is_normal:
            state.bad_end = _end_in_words(fact.code)
            if not slot.ready:
                fail_unready(state, state.bad_end, fact.pid)
        state.slots.free(slot)
        finish(state)
        return
    state.restarts += 1
    if fact.address_is_left and not slot.was_ready:
        _await_address(state, slot, now)
        return
    if is_stable(state, slot, now):
        slot.forget_deaths()
    counts = is_death(fact.code, now - slot.started_at, state.spec)
    slot.deaths += counts
    slot.bad_ends += fact.code != 0
    state.reason = _end_in_words(fact.code)
    if fact.address_holder is not None:
        state.reason = f"{state.reason}; {fact.address_holder}"
    if slot.ready:
        slot.ready_by = None
    slot.unready_ends += not slot.ready
    pause = pause_after(slot.deaths, state.spec) if counts else 0.0
    retry_later(state, slot, pause, now)
    met_old = fact.address_in_use and not slot.was_ready and bool(state.slots.outdated)
    if met_old and may_stop_old_first(state):
        stop_old_first(state, slot)
        return
    if fact.code != 0 and not state.is_replacing and _is_worn_out(state, slot):
        give_up(state, f"{state.reason} ({slot.bad_ends} times in a row)", pid=fact.pid)
        return
    if not is_hopeless(state, slot.unready_ends):
        return
    why = f"{state.reason} before it was ready ({slot.unready_ends} tries)"
    if state.is_replacing:
        abandon(state, f"{why}; {ADDRESS_HINT}" if met_old else why, now, fact.pid)
    else:
        fail_unready(state, f"{why}; it is tried again", fact.pid)


def _await_address(state: WatcherState, slot: Slot, now: float) -> None:
    """Try again until who is about to go has left the address; no such try counts.

    Old processes go first where that is allowed: the others may be waiting for theirs.
    """
    state.reason = "its address is in use by a process that is about to go"
    retry_later(state, slot, _ADDRESS_PAUSE, now)
    if state.slots.outdated and may_stop_old_first(state):
        stop_old_first(state, slot)


def _end_in_words(code: int | None) -> str:
    if code is None:
        return "a process ended, its exit status is not known"
    if code < 0:
        return f"a process was ended by {signal_name(-code)}"
    return f"a process exited with {code}"


def _judge_failed_start(state: WatcherState, fact: CouldNotStart, now: float) -> None:
    """Try again later; go back to what was before, or give up, where that is what is wanted."""
    slot, reason = fact.slot, fact.reason
    is_up = state.wanted is Wanted.UP
    # A try that a reload, or the way back from one, has overtaken says nothing about today's.
    is_overtaken = slot.generation != state.slots.generation
    why = f"{reason} ({slot.failed_tries} tries)"
    goes_back = can_go_back(state) and is_hopeless(state, slot.spawn_failures)
    is_enough = goes_back or _is_given_up(state, slot)
    if is_up and not is_overtaken:
        state.reason = reason
    if not is_up or is_overtaken or is_enough:
        state.issue(Emit(events.ProcessSpawnFailed(state.spec.name, slot.wid, reason, None)))
        state.slots.free(slot)
    else:
        _retry_start(state, slot, reason, now)
        if slot.failed_tries >= max(TRIES, state.spec.max_retry):
            if state.is_replacing and not can_go_back(state):
                abandon(state, why, now)
            else:
                fail_unready(state, f"{why}; it is tried again")
    if is_up and not is_overtaken and is_enough:
        if goes_back:
            abandon(state, why, now)
        else:
            give_up(state, why)


def _is_given_up(state: WatcherState, slot: Slot) -> bool:
    """Tell whether an operator wants a watcher given up whose process can not be started.

    One that has other processes goes on: they must not pay for it.
    """
    limit, slots = failures_allowed(state.spec), state.slots
    if limit is None or slot.spawn_failures < limit or slots.current or slots.outdated:
        return False
    return not any(other.was_ready and not other.failed_tries for other in slots.spawning.values())


def _is_worn_out(state: WatcherState, slot: Slot) -> bool:
    """Tell whether an operator wants a watcher given up whose processes keep dying.

    As long as a slot has a process, or has hope to have one, the watcher is not out of processes.
    """
    limit, slots = failures_allowed(state.spec), state.slots
    if state.spec.on_failure == RETRY or limit is None or slot.bad_ends < limit:
        return False
    if slots.current or slots.outdated or slots.under_way:
        return False
    return all(waiting.bad_ends >= limit for waiting in slots.waiting.values())


def _retry_start(state: WatcherState, slot: Slot, why: str, now: float) -> None:
    pause = pause_after(slot.deaths, state.spec)
    state.issue(Emit(events.ProcessSpawnFailed(state.spec.name, slot.wid, why, pause)))
    retry_later(state, slot, pause, now)


def _judge_refused_start(state: WatcherState, slot: Slot, why: str, now: float) -> None:
    if slot.generation != state.slots.generation:
        state.slots.free(slot)
        return
    slot.deaths = max(slot.deaths + 1, _SURELY_PAUSED)
    state.reason = why
    _retry_start(state, slot, why, now)
    if state.wanted is Wanted.UP:
        fail_unready(state, f"{why}; it is asked again")


def _judge_refused_stay(state: WatcherState, slot: Slot, why: str, now: float) -> None:
    if slot.phase is not Phase.RUNNING or slot.outdated is not None:
        return
    if can_go_back(state):
        abandon(state, why, now, slot.pid)
    elif state.wanted is Wanted.UP and state.slots.ready:
        _hold_back(state, slot, why, now)
    elif state.wanted is Wanted.UP:
        give_up(state, why)


def _hold_back(state: WatcherState, slot: Slot, why: str, now: float) -> None:
    """Stop one process, and try another in its place after a pause; those that are well go on."""
    ask_to_go(state, slot, ExitReason.STOPPED, now)
    successor = state.slots.open()
    successor.deaths = max(slot.deaths + 1, _SURELY_PAUSED)
    state.reason = why
    _retry_start(state, successor, why, now)
    fail_unready(state, f"{why}; it is asked again", slot.pid)


def _stop_one(state: WatcherState, fact: StopAsked, now: float) -> None:
    slot = fact.slot
    if slot.phase is Phase.STOPPING:
        ask_again(state, slot, now, fact.signum, fact.grace)
    elif slot.phase is Phase.RUNNING:
        ask_to_go(state, slot, ExitReason.STOPPED, now, signum=fact.signum, grace=fact.grace)
        if slot.outdated is None and not state.spec.respawn:
            finish(state)


def _hang_up(state: WatcherState, ticket: TicketId | None) -> None:
    slots = state.slots
    pids: tuple[int, ...] = ()
    if state.wanted is Wanted.UP:
        pids = tuple(slot.pid for slot in (*slots.outdated.values(), *slots.current.values()))
        for pid in pids:
            state.issue(Signal(pid, _SIGHUP, Reach.PROCESS))
        state.issue(Emit(events.WatcherReloaded(state.spec.name)))
    if ticket is not None:
        state.issue(Settle(ticket, Done(kept=pids, numprocesses=state.spec.numprocesses)))


def _kill_what_stops(state: WatcherState) -> None:
    for slot in tuple(state.slots.stopping.values()):
        kill_now(state, slot)
    for pid in state.leftovers:
        state.issue(KillLeftovers(pid, _SIGKILL, 0.0))
