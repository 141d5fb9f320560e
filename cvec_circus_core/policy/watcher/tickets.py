"""Tickets: what each waits for, when it is kept, and when it can not be kept any more.

    UP        the watcher is active and all its processes are ready
    DOWN      it is stopped
    ANEW      the same, after it has been down
    RENEWED   nothing of an older generation is left, and all new ones are there
    SIZED     there are as many ready processes as wanted, and those too many have ended
    GONE      these processes have ended

A wish that makes another impossible supersedes it: the older ticket fails and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never

from cvec_circus_core.model.errors import CircusError, GaveUp, RolloutFailed, Superseded
from cvec_circus_core.model.option_kinds import EXIT
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Go, TicketId, Wanted
from cvec_circus_core.policy.watcher.open_tickets import Goal, OpenTicket
from cvec_circus_core.policy.watcher.state import WatcherState


def open_ticket(
    state: WatcherState, ticket: TicketId | None, goal: Goal, pids: Iterable[int] = ()
) -> None:
    """Remember a ticket, and which processes have to end before it is kept."""
    if ticket is not None:
        ends = {pid for pid in pids if pid in state.slots.by_pid}
        state.tickets.append(OpenTicket(ticket, goal, ends))


def forget(state: WatcherState, number: TicketId) -> None:
    """Drop a ticket for which nobody waits; what was wished with it goes on."""
    state.tickets[:] = [ticket for ticket in state.tickets if ticket.ticket != number]


def note_spawned(state: WatcherState, pid: int) -> None:
    """Tell every open ticket of a process that has started."""
    for ticket in state.tickets:
        ticket.started[pid] = None


def note_surplus(state: WatcherState, pid: int) -> None:
    """Let every wish for a number wait for the end of a process that is too many."""
    for ticket in state.tickets:
        if ticket.goal is Goal.SIZED:
            ticket.pids.add(pid)


def note_ended(state: WatcherState, pid: int) -> None:
    """Tell every open ticket of a process that is gone."""
    for ticket in state.tickets:
        ticket.pids.discard(pid)
        if pid in ticket.started:
            del ticket.started[pid]
        else:
            ticket.stopped.append(pid)


def supersede(state: WatcherState, goals: tuple[Goal, ...], by: Go) -> None:
    """Fail every ticket with one of these goals."""
    _fail(state, goals, lambda ticket: Superseded(ticket.goal.value, by.value))


def give_up(
    state: WatcherState, why: str, *, for_good: bool = True, pid: int | None = None
) -> None:
    """Want nothing any more, and tell every caller who waits for processes why."""
    fatal = for_good and state.spec.on_failure == EXIT
    state.want(Wanted.DOWN, why, gave_up=True, fatal=fatal)
    waiting = tuple(goal for goal in Goal if goal not in (Goal.DOWN, Goal.GONE))
    _fail(state, waiting, lambda _: GaveUp(why, state.spec.name, pid))


def fail_unready(state: WatcherState, why: str, pid: int | None = None) -> None:
    """Tell every caller who waits for all processes to be there that one may not come for now."""
    _fail(state, (Goal.UP, Goal.ANEW, Goal.SIZED), lambda _: GaveUp(why, state.spec.name, pid))


def fail_rollout(state: WatcherState, why: str, pid: int | None) -> None:
    """Tell every caller who waits for new processes in the place of old ones why there are none."""
    _fail(state, (Goal.RENEWED,), lambda _: RolloutFailed(why, state.spec.name, pid))


def _fail(
    state: WatcherState, goals: tuple[Goal, ...], error: Callable[[OpenTicket], CircusError]
) -> None:
    for ticket in [ticket for ticket in state.tickets if ticket.goal in goals]:
        state.tickets.remove(ticket)
        state.issue(Settle(ticket.ticket, Failed(error(ticket))))


def settle(state: WatcherState) -> None:
    """Settle every ticket whose goal is reached."""
    if not state.tickets:
        return
    for ticket in tuple(state.tickets):
        if not ticket.pids and _is_reached(state, ticket.goal):
            state.tickets.remove(ticket)
            state.issue(Settle(ticket.ticket, _done(state, ticket)))


def _is_reached(state: WatcherState, goal: Goal) -> bool:
    match goal:
        case Goal.UP:
            return _is_active(state)
        case Goal.DOWN:
            return state.status is WatcherStatus.STOPPED
        case Goal.ANEW:
            is_up = state.wanted is Wanted.UP and not state.restart_when_down
            return is_up and _is_active(state)
        case Goal.RENEWED:
            return _is_renewed(state)
        case Goal.SIZED:
            return _is_sized(state)
        case Goal.GONE:
            return True
        case _:
            assert_never(goal)


def _is_active(state: WatcherState) -> bool:
    return state.status is WatcherStatus.ACTIVE and _are_ready(state)


def _is_renewed(state: WatcherState) -> bool:
    if state.wanted is not Wanted.UP:
        return not state.restart_when_down
    return not state.rolling and state.status is WatcherStatus.ACTIVE


def _is_sized(state: WatcherState) -> bool:
    if state.wanted is not Wanted.UP:
        return not state.restart_when_down
    slots = state.slots
    return slots.coming == state.target and not slots.never_spawned and _are_ready(state)


def _are_ready(state: WatcherState) -> bool:
    """Tell whether as many processes as wanted are ready, old ones included."""
    missing = state.target - state.slots.ready
    if missing <= 0:
        return True
    return missing <= sum(slot.ready for slot in state.slots.outdated.values())


def _done(state: WatcherState, ticket: OpenTicket) -> Done:
    return Done(
        stopped=tuple(ticket.stopped),
        started=tuple(ticket.started),
        kept=tuple(pid for pid in state.slots.by_pid if pid not in ticket.started),
        numprocesses=state.spec.numprocesses,
    )
