"""Inputs become facts: each changes the state by what it says, and nothing is decided here.

A wish is taken in, a count is counted, a phase is left; what needs a decision is left as a fact
(`facts.py`), and `advance` decides once all inputs of the step are known. The only effects that
begin here tell of what has happened: the event of a death, the answer to a ticket that an input
refuses, keeps or supersedes by itself.
"""

from __future__ import annotations

from collections import deque
from typing import assert_never

from cvec_circus_core.model import events
from cvec_circus_core.model.errors import BadMessage, ShuttingDown
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.watcher import activation, process, readiness, rollouts
from cvec_circus_core.policy.watcher.alarms import AlarmKind
from cvec_circus_core.policy.watcher.effects import Emit, Settle
from cvec_circus_core.policy.watcher.facts import (
    CouldNotStart,
    GraceOver,
    HangupAsked,
    HasteAsked,
    ReadyLate,
    StopAsked,
)
from cvec_circus_core.policy.watcher.hook_questions import AFTER_SPAWN, note_answer
from cvec_circus_core.policy.watcher.inputs import (
    Change,
    Close,
    Exited,
    Forget,
    Found,
    FoundWaiting,
    Go,
    Hangup,
    Hasten,
    HookAnswered,
    Input,
    Noticed,
    Ready,
    Remembered,
    Renew,
    Resize,
    Retire,
    SocketReady,
    Spawned,
    SpawnFailed,
    Swept,
    Tick,
    TicketId,
    Wanted,
    Wish,
)
from cvec_circus_core.policy.watcher.open_tickets import Goal
from cvec_circus_core.policy.watcher.slots import Phase
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.takeover import note_found, note_found_waiting, note_remembered
from cvec_circus_core.policy.watcher.tickets import forget, give_up, open_ticket, supersede


def record(state: WatcherState, received: Input, now: float) -> None:
    """Take one input into the state."""
    match received:
        case Wish():
            _note_wish(state, received)
        case Close():
            state.closed = True
        case Hasten():
            state.kill_at_once = True
            state.note(HasteAsked())
        case Resize():
            _note_resize(state, received)
        case Renew():
            _note_renew(state, received)
        case Hangup(ticket):
            state.note(HangupAsked(ticket))
        case Change():
            _note_change(state, received)
        case Retire():
            _note_retire(state, received)
        case Forget(ticket):
            forget(state, ticket)
        case Spawned():
            _note_spawned(state, received, now)
        case Found():
            note_found(state, received, now)
        case FoundWaiting():
            note_found_waiting(state, received)
        case Remembered():
            note_remembered(state, received, now)
        case SpawnFailed():
            _note_spawn_failed(state, received)
        case Ready(pid):
            _note_ready(state, pid, now)
        case Noticed(pid, notice):
            readiness.note_notice(state, pid, notice, now)
        case HookAnswered():
            note_answer(state, received, now)
        case Exited():
            process.note_exited(state, received, now)
        case Swept(pid):
            state.leftovers.discard(pid)
        case SocketReady():
            activation.note_connection(state)
        case Tick():
            _note_alarms(state, now)
        case _:
            assert_never(received)


def _note_wish(state: WatcherState, wish: Wish) -> None:
    is_up = wish.go in (Go.START, Go.RESTART)
    if state.closed and is_up:
        _settle(state, wish.ticket, Failed(ShuttingDown()))
        return
    if state.wanted is Wanted.DETACHED:
        # Its processes are left alone for good; a quit must not stop them after all.
        _settle(state, wish.ticket, Done())
        return
    state.closed = state.closed or wish.closes
    if is_up and activation.waits_for_connection(state):
        activation.begin_waiting(state)
        open_ticket(state, wish.ticket, Goal.DOWN)
        return
    match wish.go:
        case Go.START:
            _want_up(state)
            open_ticket(state, wish.ticket, Goal.UP)
        case Go.STOP if wish.reason is not None:
            _note_reasoned_stop(state, wish, wish.reason)
        case Go.STOP:
            supersede(state, (Goal.UP, Goal.ANEW, Goal.RENEWED, Goal.SIZED), Go.STOP)
            state.want(Wanted.DOWN)
            state.previous_spec = None
            open_ticket(state, wish.ticket, Goal.DOWN)
        case Go.RESTART:
            supersede(state, (Goal.RENEWED,), Go.RESTART)
            state.want(Wanted.DOWN, restart_when_down=True)
            state.previous_spec = None
            open_ticket(state, wish.ticket, Goal.ANEW)
        case Go.LEAVE:
            supersede(state, tuple(Goal), Go.LEAVE)
            state.want(Wanted.DETACHED, state.reason)
            state.closed = True
            _settle(state, wish.ticket, Done())
        case _:
            assert_never(wish.go)


def _note_reasoned_stop(state: WatcherState, wish: Wish, reason: str) -> None:
    if state.wanted is not Wanted.UP:
        _settle(state, wish.ticket, Done())
        return
    give_up(state, reason, for_good=wish.for_good)
    state.previous_spec = None
    open_ticket(state, wish.ticket, Goal.DOWN)


def _settle(state: WatcherState, ticket: TicketId | None, outcome: Outcome) -> None:
    if ticket is not None:
        state.issue(Settle(ticket, outcome))


def _want_up(state: WatcherState) -> None:
    """Go up; a watcher on its way down goes down first, so that ports and locks are free.

    A start while it is up tries at once what waits for its next try, and launches again what has
    ended for good.
    """
    if state.wanted is Wanted.UP:
        state.finished = 0
        waiting = state.slots.waiting.values()
        state.due = deque((slot.wid, slot.serial) for slot in waiting)
    else:
        state.want_up_again()


def _note_resize(state: WatcherState, resize: Resize) -> None:
    try:
        spec = replace(state.spec, numprocesses=max(0, resize.count))
    except ValueError as problem:
        _settle(state, resize.ticket, Failed(BadMessage(str(problem))))
        return
    _use_spec(state, spec)
    open_ticket(state, resize.ticket, Goal.SIZED)


def _use_spec(state: WatcherState, spec: WatcherSpec) -> None:
    """Keep to another spec; what has ended for good stays so, and costs no other its place."""
    previous, target = state.spec, state.target
    state.use_spec(spec)
    if state.wanted is Wanted.ON_DEMAND and not spec.on_demand:
        state.want(Wanted.DOWN, state.reason, restart_when_down=True)
    if spec.respawn is True and not spec.on_demand:
        state.finished = 0
    elif previous.respawn and not spec.respawn:
        state.finished = 0 if previous.respawn is True else state.finished
        for slot in tuple(state.slots.waiting.values()):
            if slot.has_spawned:
                state.slots.free(slot)
                process.finish(state)
    elif spec.numprocesses < previous.numprocesses:
        state.finished = spec.numprocesses - min(target, spec.numprocesses)


def _note_renew(state: WatcherState, renew: Renew) -> None:
    if state.wanted is Wanted.UP:
        rollouts.begin_rollout(state, renew.rollout)
    open_ticket(state, renew.ticket, Goal.RENEWED)


def _note_change(state: WatcherState, change: Change) -> None:
    previous = state.spec
    _use_spec(state, change.spec)
    state.sockets_changed = True
    for key in change.keys:
        state.issue(Emit(events.OptionUpdated(state.spec.name, key)))
    if not (change.renew and state.wanted is Wanted.UP):
        open_ticket(state, change.ticket, Goal.SIZED)
        return
    # Those that a rollout on its way is about to replace are even older: they are the way back.
    state.previous_spec = state.previous_spec or previous
    rollouts.begin_rollout(state, None)
    open_ticket(state, change.ticket, Goal.RENEWED)


def _note_retire(state: WatcherState, retire: Retire) -> None:
    open_ticket(state, retire.ticket, Goal.GONE, retire.pids)
    for pid in retire.pids:
        slot = state.slots.by_pid.get(pid)
        if slot is not None:
            state.note(StopAsked(slot, retire.signum, retire.grace))


def _note_spawned(state: WatcherState, spawned: Spawned, now: float) -> None:
    needs_approval = AFTER_SPAWN in state.spec.hooks
    slot = process.note_started(state, spawned, now, needs_approval=needs_approval)
    readiness.await_ready(state, slot, now)
    readiness.expect_stability(state, slot, now)
    if slot.generation != state.slots.generation:
        state.slots.outdate(slot, ExitReason.RELOADED)


def _note_spawn_failed(state: WatcherState, failed: SpawnFailed) -> None:
    slot = state.slots.by_wid[failed.wid]
    state.slots.move(slot, Phase.ENDED)
    slot.deaths += 1
    slot.failed_tries += 1
    slot.spawn_failures += not failed.shortage
    state.note(CouldNotStart(slot, failed.reason, failed.shortage))


def _note_ready(state: WatcherState, pid: int, now: float) -> None:
    slot = state.slots.by_pid.get(pid)
    if slot is not None:
        readiness.note_seen_ready(state, slot, now)


def _note_alarms(state: WatcherState, now: float) -> None:
    for kind, slot in state.alarms.pop_due(state.slots, now):
        match kind:
            case AlarmKind.RETRY:
                state.due.append((slot.wid, slot.serial))
            case AlarmKind.KILL:
                state.note(GraceOver(slot))
            case AlarmKind.READY:
                readiness.note_lived(state, slot, now)
            case AlarmKind.EXPIRE:
                process.note_expired(state, slot)
            case AlarmKind.LATE:
                state.note(ReadyLate(slot))
            case AlarmKind.STABLE:
                readiness.note_stable(state, slot, now)
            case AlarmKind.PING:
                readiness.check_ping(state, slot, now)
            case _:
                assert_never(kind)
