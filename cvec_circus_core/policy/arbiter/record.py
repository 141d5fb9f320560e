"""Inputs become facts and operations; what follows from them is `advance.py`'s business."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import assert_never

from cvec_circus_core.model.errors import (
    Conflict,
    ShuttingDown,
)
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.policy.arbiter import stages
from cvec_circus_core.policy.arbiter.advance import supersede
from cvec_circus_core.policy.arbiter.effects import (
    AddWatcher,
    ArbiterEffect,
    AwaitHooks,
    ChangeWatcher,
    CloseWatcher,
    ExchangeSockets,
    ForgetWatcher,
    HastenWatcher,
)
from cvec_circus_core.policy.arbiter.inputs import (
    Added,
    Answered,
    ArbiterInput,
    ArbiterRequest,
    Became,
    HastenAll,
    Quit,
    ReloadAll,
    ReloadConfig,
    RemoveWatcher,
    RestartAll,
    StartAll,
    StopAll,
    Troubled,
    Wished,
)
from cvec_circus_core.policy.arbiter.state import (
    ArbiterState,
    LaterStage,
    Move,
    Operation,
    Wait,
)
from cvec_circus_core.policy.config_plan import sockets_by_name, with_options
from cvec_circus_core.policy.config_steps import plan_options
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Go, Tick, TicketId

FOR_WATCHERS = 0.8
"""The part of shutdown_timeout in which all watchers have to be down; the rest is for the last
hooks, for what no watcher knows of, and for replies and events on their way."""


def record(state: ArbiterState, fact: ArbiterInput, now: float) -> list[ArbiterEffect]:
    """Take one input into the state and return what it calls for by itself."""
    match fact:
        case Added(watcher, facts):
            state.watchers[watcher] = facts
            return []
        case Became(watcher, facts):
            # It may have been forgotten meanwhile.
            if watcher in state.watchers:
                state.watchers[watcher] = facts
                _release(state, watcher)
            return []
        case Wished(watcher):
            state.wishes += 1
            if watcher in state.watchers:
                state.wished[watcher] = state.wishes
            return []
        case Troubled(watcher):
            _release(state, watcher, has_failed=True)
            return []
        case Answered():
            return _on_answered(state, fact)
        case HastenAll():
            return _hasten(state)
        case Tick():
            state.touched.update(dict.fromkeys(state.operations))
            return []
        case _:
            return _on_request(state, fact, now)


def _hasten(state: ArbiterState) -> list[ArbiterEffect]:
    """Give nobody any grace, and let everybody who is to go in the course of a quit go at once."""
    state.touched.update(dict.fromkeys(state.operations))
    for operation in state.operations.values():
        # The last stage is that of the hooks, which tell of all ends.
        while state.is_quitting and operation.is_supersedable and len(operation.stages) > 1:
            stage = operation.stages.popleft()
            operation.moves.extend(stage if isinstance(stage, tuple) else ())
    return [HastenWatcher(key) for key in state.watchers]


def _release(state: ArbiterState, watcher: str, *, has_failed: bool = False) -> None:
    """Let stages go ahead that waited for this watcher, where it is so far or has failed."""
    for operation in state.operations.values():
        ask = operation.until_ready.get(watcher)
        if ask is None or (ask in state.asks and not has_failed):
            continue
        facts = state.watchers.get(watcher)
        if has_failed or facts is None or facts.is_ready or not facts.is_up:
            operation.awaited.discard(ask)
            del operation.until_ready[watcher]
            state.touched[operation.ticket] = None


def _on_request(state: ArbiterState, request: ArbiterRequest, now: float) -> list[ArbiterEffect]:
    if isinstance(request, RemoveWatcher) and request.watcher not in state.watchers:
        # An earlier removal has just come to its end.
        return [Settle(request.ticket, Done())]
    is_removal = isinstance(request, RemoveWatcher) and not request.nostop
    if state.is_quitting and not is_removal:
        return [Settle(request.ticket, Failed(ShuttingDown()))]
    effects = supersede(state) if isinstance(request, StopAll | RestartAll | Quit) else []
    operation = _operation(state, request, now)
    state.wishes += 1
    operation.number = state.wishes
    state.operations[request.ticket] = operation
    state.touched[request.ticket] = None
    if isinstance(request, Quit):
        effects.extend(_close_later(operation))
    return effects


def _close_later(operation: Operation) -> Iterator[ArbiterEffect]:
    """Let nothing come up in the course of a quit that only has to go in a later stage."""
    for stage in islice(operation.stages, 1, None):
        for move in stage if isinstance(stage, tuple) else ():
            if move.watcher is not None:
                yield CloseWatcher(move.watcher)


def _operation(state: ArbiterState, request: ArbiterRequest, now: float) -> Operation:
    ticket = request.ticket
    match request:
        case StartAll():
            return Operation("start", ticket, deque(stages.start(state, request.done)))
        case StopAll():
            return Operation("stop", ticket, deque(stages.stop(state)))
        case ReloadAll(_, graceful, sequential):
            parts = stages.reload(state, graceful=graceful, sequential=sequential)
            return Operation("reload", ticket, deque(parts))
        case ReloadConfig(_, reading):
            options = reading.configuration.arbiter
            at_once = plan_options(state.spec, options).at_once
            state.spec = with_options(state.spec, options, at_once)
            return Operation("reloadconfig", ticket, deque([LaterStage.CONFIGURATION]), reading)
        case RestartAll(_, reading):
            later = (LaterStage.CONFIGURATION, LaterStage.START)
            return Operation("restart", ticket, deque([*stages.stop(state), *later]), reading)
        case RemoveWatcher(_, watcher, nostop):
            removal = stages.removal(state.watchers[watcher], Go.LEAVE if nostop else Go.STOP)
            return Operation("remove", ticket, deque([(removal,)]), is_supersedable=False)
        case Quit():
            return _quit(state, ticket, now)
        case _:
            assert_never(request)


def _quit(state: ArbiterState, ticket: TicketId, now: float) -> Operation:
    state.is_quitting = True
    stops = stages.stop(state, closes=True)
    operation = Operation("quit", ticket, deque([*stops, (Move(AwaitHooks()),)]))
    if state.spec.shutdown_timeout > 0:
        state.end_by = now + state.spec.shutdown_timeout
        operation.end_by = now + FOR_WATCHERS * state.spec.shutdown_timeout
    return operation


def _on_answered(state: ArbiterState, answer: Answered) -> list[ArbiterEffect]:
    open_ask = state.asks.pop(answer.ask)
    move, key = open_ask.move, open_ask.move.watcher
    effects: list[ArbiterEffect] = []
    if move.forgets and key in state.leaving:
        effects = _on_left(state, key, answer.outcome)
    elif isinstance(move.ask, AddWatcher) and isinstance(answer.outcome, Failed):
        facts = state.watchers.get(move.ask.watcher)
        if facts is not None and facts.spec is move.ask.spec:
            del state.watchers[move.ask.watcher]
            state.leaving.discard(move.ask.watcher)
    operation = state.operations.get(open_ask.ticket)
    if operation is not None:
        _note_answer(state, operation, move, answer)
    return effects


def _on_left(state: ArbiterState, key: str, outcome: Outcome) -> list[ArbiterEffect]:
    """Forget a watcher, unless it could not be had to leave."""
    if isinstance(outcome, Done):
        state.leaving.discard(key)
        state.watchers.pop(key)
        state.watchers_in_file.pop(key, None)
        state.wished.pop(key, None)
        _release(state, key)
        return [ForgetWatcher(key)]
    moves = (open_ask.move for open_ask in state.asks.values())
    if not any(move.forgets and move.watcher == key for move in moves):
        state.leaving.discard(key)
    return []


def _note_answer(state: ArbiterState, operation: Operation, move: Move, answer: Answered) -> None:
    state.touched[operation.ticket] = None
    operation.open.discard(answer.ask)
    if move.wait is not Wait.READY or isinstance(answer.outcome, Failed):
        operation.awaited.discard(answer.ask)
    elif move.watcher is not None:
        _release(state, move.watcher)
    if isinstance(move.ask, ExchangeSockets) and operation.reading is not None:
        state.sockets_in_file = sockets_by_name(operation.reading.configuration.sockets)
    if move.wait is Wait.NEVER:
        return
    is_applied = isinstance(answer.outcome, Done)
    match answer.outcome:
        case Done() as done:
            operation.done[answer.ask] = done
        case Failed(error):
            # Somebody wants something else of it by now; what it was given stays.
            is_applied = isinstance(error, Conflict) and isinstance(move.ask, ChangeWatcher)
            operation.failures[answer.ask] = error
    if is_applied and isinstance(move.ask, AddWatcher) and operation.reading is not None:
        state.watchers_in_file[move.ask.watcher] = move.ask.spec
    if is_applied and (move.forgets or isinstance(move.ask, ChangeWatcher)):
        operation.unapplied.pop(move.watcher or "", None)
