"""Tickets: what each waits for, when it is kept, and when it can not be kept any more.

    UP        the watcher is active
    DOWN      it is stopped
    ANEW      it is active again after having been down
    RENEWED   nothing of an older generation is left, and all new ones are there
    SIZED     there are as many processes as wanted, and those too many have ended
    GONE      these processes have ended

A wish that makes another impossible supersedes it: the older ticket fails and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from cvec_circus_core.model.errors import CircusError, GaveUp, RolloutFailed, Superseded
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.effects import Effect, Settle
from cvec_circus_core.policy.watcher.inputs import Go, TicketId, Wanted
from cvec_circus_core.policy.watcher.state import Goal, OpenTicket, WatcherState


def promise(
    state: WatcherState, ticket: TicketId | None, aim: Goal, pids: Iterable[int] = ()
) -> None:
    """Remember a ticket, and who has to end before it is kept."""
    if ticket is not None:
        ends = {pid for pid in pids if pid in state.by_pid}
        state.promises.append(OpenTicket(ticket, aim, ends))


def note_spawned(state: WatcherState, pid: int) -> None:
    """Tell every open ticket of a process that came."""
    for one in state.promises:
        one.started[pid] = None


def note_leaving(state: WatcherState, pid: int) -> None:
    """Let every wish for a number wait for the end of a process that is too many."""
    for one in state.promises:
        if one.aim is Goal.SIZED:
            one.pids.add(pid)


def note_ended(state: WatcherState, pid: int) -> None:
    """Tell every open ticket of a process that is gone."""
    for one in state.promises:
        one.pids.discard(pid)
        if pid in one.started:
            del one.started[pid]
        else:
            one.stopped.append(pid)


def supersede(state: WatcherState, aims: tuple[Goal, ...], by: Go) -> Iterator[Effect]:
    """Break every promise with one of these aims."""
    yield from _break(
        state,
        [one for one in state.promises if one.aim in aims],
        lambda one: Superseded(one.aim.value, by.value),
    )


def give_up(state: WatcherState, why: str) -> Iterator[Effect]:
    """Want nothing any more, and say why to everybody who waits for processes."""
    state.wanted, state.again, state.reason = Wanted.DOWN, False, why
    state.gave_up = True
    yield from fail_starts(state, why)


def fail_starts(state: WatcherState, why: str) -> Iterator[Effect]:
    """Tell everybody who waits for processes that they can not be had."""
    waiting = [one for one in state.promises if one.aim not in (Goal.DOWN, Goal.GONE)]
    yield from _break(state, waiting, lambda _: GaveUp(why))


def fail_delayed(state: WatcherState, why: str) -> Iterator[Effect]:
    """Tell everybody who waits for all processes to be there that one may not come for now."""
    waiting = [one for one in state.promises if one.aim in (Goal.UP, Goal.ANEW, Goal.SIZED)]
    yield from _break(state, waiting, lambda _: GaveUp(f"{why}; it is asked again"))


def fail_rollout(state: WatcherState, why: str) -> Iterator[Effect]:
    """Tell everybody who waits for new processes in the place of old ones why there are none."""
    waiting = [one for one in state.promises if one.aim is Goal.RENEWED]
    yield from _break(state, waiting, lambda _: RolloutFailed(why))


def _break(
    state: WatcherState, broken: list[OpenTicket], error: Callable[[OpenTicket], CircusError]
) -> Iterator[Effect]:
    for one in broken:
        state.promises.remove(one)
        yield Settle(one.ticket, Failed(error(one)))


def settle(state: WatcherState) -> Iterator[Effect]:
    """Keep every promise that has come true."""
    if not state.promises:
        return
    true = {
        Goal.UP: state.status is WatcherStatus.ACTIVE,
        Goal.DOWN: state.status is WatcherStatus.STOPPED,
        Goal.ANEW: state.status is WatcherStatus.ACTIVE
        and not state.again
        and state.wanted is Wanted.UP,
        Goal.RENEWED: _is_renewed(state),
        Goal.SIZED: _is_sized(state),
        Goal.GONE: True,
    }
    for one in tuple(state.promises):
        if not one.pids and true[one.aim]:
            state.promises.remove(one)
            yield Settle(one.ticket, _done(state, one))


def _is_renewed(state: WatcherState) -> bool:
    if state.wanted is not Wanted.UP:
        return not state.again
    return not state.rolling and state.status is WatcherStatus.ACTIVE


def _is_sized(state: WatcherState) -> bool:
    if state.wanted is not Wanted.UP:
        return not state.again
    return state.coming == state.target and not state.unborn


def _done(state: WatcherState, one: OpenTicket) -> Done:
    return Done(
        stopped=tuple(one.stopped),
        started=tuple(one.started),
        kept=tuple(pid for pid in state.by_pid if pid not in one.started),
        numprocesses=state.spec.numprocesses,
    )
