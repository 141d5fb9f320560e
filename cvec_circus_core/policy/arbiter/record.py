"""Inputs become facts and operations; what follows from them is `advance.py`'s business."""

from __future__ import annotations

from collections import deque
from typing import assert_never

from cvec_circus_core.model.errors import (
    Conflict,
    GaveUp,
    RolloutFailed,
    ShuttingDown,
)
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.policy.arbiter import stages
from cvec_circus_core.policy.arbiter.advance import supersede
from cvec_circus_core.policy.arbiter.effects import (
    UNASKED,
    AddWatcher,
    ArbiterEffect,
    AwaitHooks,
    ChangeWatcher,
    ExchangeSockets,
    ForgetWatcher,
)
from cvec_circus_core.policy.arbiter.inputs import (
    Added,
    Answered,
    ArbiterInput,
    ArbiterRequest,
    Became,
    Quit,
    ReloadAll,
    ReloadConfig,
    RemoveWatcher,
    RestartAll,
    StartAll,
    StopAll,
    Troubled,
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
from cvec_circus_core.policy.watcher.inputs import Go, Tick


def record(state: ArbiterState, fact: ArbiterInput) -> list[ArbiterEffect]:
    """Take one input into the state and return what it calls for by itself."""
    match fact:
        case Added(watcher, facts):
            state.watchers[watcher] = facts
            return []
        case Became(watcher, facts):
            # It may have been forgotten meanwhile.
            if watcher in state.watchers:
                state.watchers[watcher] = facts
            return []
        case Troubled(watcher):
            for operation in state.operations.values():
                operation.awaited.discard(operation.until_begun.pop(watcher, UNASKED))
            return []
        case Answered():
            return _on_answered(state, fact)
        case Tick():
            return []
        case _:
            return _on_request(state, fact)


def _on_request(state: ArbiterState, request: ArbiterRequest) -> list[ArbiterEffect]:
    is_removal = isinstance(request, RemoveWatcher) and not request.nostop
    if state.is_quitting and not is_removal:
        return [Settle(request.ticket, Failed(ShuttingDown()))]
    effects = supersede(state) if isinstance(request, StopAll | RestartAll | Quit) else []
    operation = _operation(state, request)
    state.operations[request.ticket] = operation
    return effects


def _operation(state: ArbiterState, request: ArbiterRequest) -> Operation:
    ticket = request.ticket
    match request:
        case StartAll():
            return Operation("start", ticket, deque(stages.start(state)))
        case StopAll():
            return Operation("stop", ticket, deque([stages.stop(state)]))
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
            return Operation("restart", ticket, deque([stages.stop(state), *later]), reading)
        case RemoveWatcher(_, watcher, nostop):
            removal = stages.removal(watcher, Go.LEAVE if nostop else Go.STOP)
            return Operation("remove", ticket, deque([(removal,)]), is_supersedable=False)
        case Quit():
            state.is_quitting = True
            stop = stages.stop(state, final=True)
            return Operation("quit", ticket, deque([stop, (Move(AwaitHooks()),)]))
        case _:
            assert_never(request)


def _on_answered(state: ArbiterState, answer: Answered) -> list[ArbiterEffect]:
    asked = state.asks.pop(answer.ask)
    move, key = asked.move, asked.move.watcher
    effects: list[ArbiterEffect] = []
    if move.forgets and key in state.leaving:
        effects = _on_left(state, key, answer.outcome)
    elif isinstance(move.ask, AddWatcher) and isinstance(answer.outcome, Failed):
        facts = state.watchers.get(move.ask.watcher)
        if facts is not None and facts.spec is move.ask.spec:
            del state.watchers[move.ask.watcher]
    operation = state.operations.get(asked.ticket)
    if operation is not None:
        _note_answer(state, operation, move, answer)
    return effects


def _on_left(state: ArbiterState, key: str, outcome: Outcome) -> list[ArbiterEffect]:
    """Forget a watcher, unless it could not be had to leave."""
    if isinstance(outcome, Done):
        state.leaving.discard(key)
        state.watchers.pop(key)
        state.watchers_in_file.pop(key, None)
        return [ForgetWatcher(key)]
    moves = (asked.move for asked in state.asks.values())
    if not any(move.forgets and move.watcher == key for move in moves):
        state.leaving.discard(key)
    return []


def _note_answer(state: ArbiterState, operation: Operation, move: Move, answer: Answered) -> None:
    operation.open.discard(answer.ask)
    operation.awaited.discard(answer.ask)
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
            if isinstance(error, GaveUp | RolloutFailed):
                error = type(error)(f"{move.prefix}{error}")
            operation.fail(answer.ask, error)
    if is_applied and (move.forgets or isinstance(move.ask, ChangeWatcher)):
        operation.unapplied.pop(move.watcher or "", None)
