"""Inputs become facts: each changes the state by what it says, and nothing is decided here.

What follows from the facts is `advance.py`'s business, once per batch. The only effects that come
from here are those an input names itself: the event of a death, say. What happens to one process
is in `lives.py`, what somebody wants is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop
from typing import assert_never

from cvec_circus_core.model import events
from cvec_circus_core.model.errors import BadMessage, ShuttingDown
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.watcher import activation, process, readiness, rollouts
from cvec_circus_core.policy.watcher.effects import (
    Effect,
    Emit,
    KillLeftovers,
    Reach,
    Settle,
    Signal,
)
from cvec_circus_core.policy.watcher.hook_questions import on_answered
from cvec_circus_core.policy.watcher.inputs import (
    Change,
    Exited,
    Found,
    Go,
    Hangup,
    Hasten,
    HookAnswered,
    Input,
    Noticed,
    Ready,
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
from cvec_circus_core.policy.watcher.process_stop import (
    ask_again,
    ask_to_go,
    end_for_good,
    kill_now,
)
from cvec_circus_core.policy.watcher.state import AlarmKind, Goal, Phase, WatcherState
from cvec_circus_core.policy.watcher.takeover import on_found
from cvec_circus_core.policy.watcher.tickets import give_up, promise, supersede

_SIGHUP = 1
_SIGKILL = 9


def record(state: WatcherState, said: Input, now: float) -> Iterator[Effect]:
    """Take one input into the state and yield what it calls for by itself."""
    match said:
        case Wish():
            yield from _on_wish(state, said)
        case Hasten():
            yield from _on_hasten(state)
        case Resize():
            yield from _on_resize(state, said)
        case Renew():
            _on_renew(state, said)
        case Hangup(ticket):
            yield from _on_hangup(state, ticket)
        case Change():
            yield from _on_change(state, said)
        case Retire():
            yield from _on_retire(state, said, now)
        case Spawned():
            yield from process.on_spawned(state, said, now)
        case Found():
            yield from on_found(state, said, now)
        case SpawnFailed():
            yield from process.on_spawn_failed(state, said, now)
        case Ready(pid):
            _on_ready(state, pid)
        case Noticed(pid, notice):
            yield from readiness.on_noticed(state, pid, notice, now)
        case HookAnswered():
            yield from on_answered(state, said, now)
        case Exited():
            yield from process.on_exited(state, said, now)
        case Swept(pid):
            state.sweeping.discard(pid)
        case SocketReady():
            activation.on_connection(state)
        case Tick():
            yield from _on_tick(state, now)
        case _:
            assert_never(said)


def _on_wish(state: WatcherState, wish: Wish) -> Iterator[Effect]:
    if state.final and wish.go in (Go.START, Go.RESTART):
        yield from _settle(wish.ticket, Failed(ShuttingDown()))
        return
    if state.wanted is Wanted.DETACHED:
        # Its processes are nobody's business any more; a quit must not stop them after all.
        yield from _settle(wish.ticket, Done())
        return
    state.final = state.final or wish.final
    if wish.go in (Go.START, Go.RESTART) and activation.waits_for_demand(state):
        activation.begin_waiting(state)
        promise(state, wish.ticket, Goal.DOWN)
        return
    match wish.go:
        case Go.START:
            _want_up(state)
            promise(state, wish.ticket, Goal.UP)
        case Go.STOP if wish.reason is not None:
            yield from _on_reasoned_stop(state, wish, wish.reason)
        case Go.STOP:
            yield from supersede(state, (Goal.UP, Goal.ANEW, Goal.RENEWED, Goal.SIZED), Go.STOP)
            state.wanted, state.again, state.reason = Wanted.DOWN, False, None
            state.fallback, state.gave_up = None, False
            promise(state, wish.ticket, Goal.DOWN)
        case Go.RESTART:
            yield from supersede(state, (Goal.RENEWED,), Go.RESTART)
            state.wanted, state.again, state.reason = Wanted.DOWN, True, None
            state.fallback = None
            promise(state, wish.ticket, Goal.ANEW)
        case Go.LEAVE:
            yield from supersede(state, tuple(Goal), Go.LEAVE)
            state.wanted, state.again, state.final = Wanted.DETACHED, False, True
            yield from _settle(wish.ticket, Done())
        case _:
            assert_never(wish.go)


def _on_reasoned_stop(state: WatcherState, wish: Wish, reason: str) -> Iterator[Effect]:
    if state.wanted is not Wanted.UP:
        yield from _settle(wish.ticket, Done())
        return
    yield from give_up(state, reason)
    state.fallback = None
    promise(state, wish.ticket, Goal.DOWN)


def _settle(ticket: TicketId | None, outcome: Outcome) -> Iterator[Effect]:
    if ticket is not None:
        yield Settle(ticket, outcome)


def _on_hasten(state: WatcherState) -> Iterator[Effect]:
    state.hasty = True
    for slot in tuple(state.stopping.values()):
        yield from kill_now(state, slot)
    for pid in state.sweeping:
        yield KillLeftovers(pid, _SIGKILL, 0.0)


def _want_up(state: WatcherState) -> None:
    """Go up; a watcher on its way down goes down first, so that ports and locks are free.

    Where respawn is off, a start while it is up launches again what has ended.
    """
    if state.wanted is Wanted.UP:
        state.spent = 0
    else:
        state.again = True


def _on_resize(state: WatcherState, said: Resize) -> Iterator[Effect]:
    try:
        spec = replace(state.spec, numprocesses=max(0, said.count))
    except ValueError as problem:
        yield from _settle(said.ticket, Failed(BadMessage(str(problem))))
        return
    _adopt(state, spec)
    promise(state, said.ticket, Goal.SIZED)


def _adopt(state: WatcherState, spec: WatcherSpec) -> None:
    """Live by another spec; what has ended for good stays so, and costs nobody else its place."""
    before, target = state.spec, state.target
    state.live_by(spec)
    if state.wanted is Wanted.ON_DEMAND and not spec.on_demand:
        state.wanted, state.again = Wanted.DOWN, True
    if spec.respawn and not spec.on_demand:
        state.spent = 0
    elif before.respawn and not spec.respawn:
        state.spent = 0
        for slot in tuple(state.waiting.values()):
            if slot.born:
                state.leave(slot)
                state.free(slot)
                end_for_good(state)
    elif spec.numprocesses < before.numprocesses:
        state.spent = spec.numprocesses - min(target, spec.numprocesses)


def _on_renew(state: WatcherState, said: Renew) -> None:
    if state.wanted is not Wanted.UP:
        promise(state, said.ticket, Goal.RENEWED)
        return
    rollouts.begin_rollout(state, said.rollout)
    promise(state, said.ticket, Goal.RENEWED)


def _on_ready(state: WatcherState, pid: int) -> None:
    slot = state.by_pid.get(pid)
    if slot is not None:
        readiness.on_ready(state, slot)


def _on_hangup(state: WatcherState, ticket: TicketId | None) -> Iterator[Effect]:
    if state.wanted is not Wanted.UP:
        yield from _settle(ticket, Done(numprocesses=state.spec.numprocesses))
        return
    pids = tuple(slot.pid for slot in (*state.stale.values(), *state.fresh.values()))
    for pid in pids:
        yield Signal(pid, _SIGHUP, Reach.PROCESS)
    yield Emit(events.WatcherReloaded(state.spec.name))
    yield from _settle(ticket, Done(kept=pids, numprocesses=state.spec.numprocesses))


def _on_change(state: WatcherState, said: Change) -> Iterator[Effect]:
    before = state.spec
    _adopt(state, said.spec)
    yield from activation.stop_listening(state)
    for key in said.keys:
        yield Emit(events.OptionUpdated(state.spec.name, key))
    if not (said.renew and state.wanted is Wanted.UP):
        promise(state, said.ticket, Goal.SIZED)
        return
    # Those that a rollout on its way is about to replace are even older: they are the way back.
    state.fallback = state.fallback or before
    rollouts.begin_rollout(state, None)
    promise(state, said.ticket, Goal.RENEWED)


def _on_retire(state: WatcherState, said: Retire, now: float) -> Iterator[Effect]:
    promise(state, said.ticket, Goal.GONE, said.pids)
    for pid in said.pids:
        slot = state.by_pid.get(pid)
        if slot is None:
            continue
        if slot.phase is Phase.STOPPING:
            yield from ask_again(state, slot, now, said.signum, said.grace)
        elif slot.phase is Phase.RUNNING:
            yield from ask_to_go(
                state, slot, ExitReason.STOPPED, now, signum=said.signum, grace=said.grace
            )
            if slot.stale is None and not state.spec.respawn:
                end_for_good(state)


def _on_tick(state: WatcherState, now: float) -> Iterator[Effect]:
    while state.alarms and state.alarms[0][0] <= now:
        at, _, kind, wid = heappop(state.alarms)
        slot = state.holds(at, kind, wid)
        if slot is None:
            continue
        match kind:
            case AlarmKind.RETRY:
                state.due.append((slot.wid, slot.serial))
            case AlarmKind.KILL:
                yield from kill_now(state, slot)
            case AlarmKind.READY:
                readiness.on_ready(state, slot)
            case AlarmKind.EXPIRE:
                process.on_expired(state, slot)
            case AlarmKind.LATE:
                yield from rollouts.on_late(state, slot, now)
            case AlarmKind.WATCH:
                yield from readiness.on_watch(state, slot, now)
            case _:
                assert_never(kind)
