"""Make the moves whose time has come, and settle the operations that are over."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from cvec_circus_core.model.errors import CircusError, ConfigError, Superseded
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.arbiter import stages
from cvec_circus_core.policy.arbiter.effects import (
    AddWatcher,
    ArbiterEffect,
    AskId,
    AwaitHooks,
    HastenWatcher,
    SendWish,
)
from cvec_circus_core.policy.arbiter.inputs import ConfigRead, WatcherFacts
from cvec_circus_core.policy.arbiter.state import (
    ArbiterState,
    LaterStage,
    Move,
    OpenAsk,
    Operation,
    Stage,
    Wait,
)
from cvec_circus_core.policy.config_plan import plan_config, sockets_by_name, watchers_by_key
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Go

KILLED_WITHIN = 1.0
"""Seconds for processes that were killed to be seen to go."""

_DOWN = (Go.STOP, Go.LEAVE)


def advance(state: ArbiterState, now: float) -> list[ArbiterEffect]:
    """Return what the operations want done that may go on in this step."""
    effects: list[ArbiterEffect] = []
    touched, state.touched = state.touched, {}
    for operation in [state.operations[key] for key in touched if key in state.operations]:
        while True:
            effects.extend(_make_moves(state, operation, now))
            effects.extend(_lose_patience(state, operation, now))
            if operation.moves or operation.awaited or not operation.stages:
                break
            _begin_stage(state, operation, now)
        if not (operation.moves or operation.open or operation.stages):
            effects.append(_end(state, operation))
    return effects


def wakes_at(operation: Operation) -> float:
    """Return the next moment at which an operation goes on by itself."""
    paced_from = operation.paced_from if operation.moves else inf
    if not operation.awaited:
        return paced_from
    return min(paced_from, operation.hasten_at, operation.goes_on_at)


def supersede(state: ArbiterState) -> list[ArbiterEffect]:
    """End every operation that a wish for all watchers takes the place of."""
    effects: list[ArbiterEffect] = []
    for operation in tuple(state.operations.values()):
        if operation.is_supersedable:
            error = Superseded(operation.name, "wish for all watchers")
            operation.failures[AskId(0)] = error
            effects.append(_end(state, operation))
    return effects


def _end(state: ArbiterState, operation: Operation) -> Settle:
    del state.operations[operation.ticket]
    for key, spec in operation.unapplied.items():
        if spec is None:
            state.watchers_in_file.pop(key, None)
        else:
            state.watchers_in_file[key] = spec
    return Settle(operation.ticket, operation.outcome())


def _make_moves(state: ArbiterState, operation: Operation, now: float) -> Iterator[ArbiterEffect]:
    while operation.moves:
        move = operation.moves[0]
        if move.is_paced and now < operation.paced_from:
            return
        operation.moves.popleft()
        if not _applies(state, operation, move):
            continue
        if move.is_paced:
            operation.has_paced = True
            operation.paced_from = now + state.spec.warmup_delay
        yield _ask(state, operation, move)


def _lose_patience(
    state: ArbiterState, operation: Operation, now: float
) -> Iterator[ArbiterEffect]:
    """Hasten what the next stage waits for, and go on where that does not come to an end."""
    if not operation.awaited:
        return
    if now >= operation.hasten_at:
        operation.hasten_at = inf
        operation.goes_on_at = min(operation.goes_on_at, now + KILLED_WITHIN)
        watchers = [state.asks[ask].move.watcher for ask in sorted(operation.awaited)]
        for watcher in state.watchers if None in watchers else watchers:
            yield HastenWatcher(watcher or "")
    if now >= operation.goes_on_at:
        for ask in operation.awaited:
            watcher = state.asks[ask].move.watcher
            subject = f"watcher {watcher}" if watcher else "a hook"
            failure = CircusError(f"{subject} does not come to its end")
            operation.failures.setdefault(ask, failure)
        operation.open -= operation.awaited
        operation.awaited.clear()


def _applies(state: ArbiterState, operation: Operation, move: Move) -> bool:
    """Tell whether a move's watcher is still there, and as the move needs it.

    A wish that is newer than the operation and for this watcher alone counts more.
    """
    ask, key = move.ask, move.watcher
    if key is None or isinstance(ask, AddWatcher):
        return True
    if key in state.leaving and not (isinstance(ask, SendWish) and ask.go in _DOWN):
        return False
    is_wish = isinstance(ask, SendWish) and not ask.closes
    if is_wish and state.wished.get(key, 0) > operation.number:
        return False
    facts = state.watchers.get(key)
    return facts is not None and (facts.is_up or not move.only_if_up)


def _ask(state: ArbiterState, operation: Operation, move: Move) -> ArbiterEffect:
    state.last_ask += 1
    number = AskId(state.last_ask)
    state.asks[number] = OpenAsk(operation.ticket, move)
    if move.wait is not Wait.NEVER:
        operation.open.add(number)
    if move.wait in (Wait.READY, Wait.ENDED):
        operation.awaited.add(number)
    if move.wait is Wait.READY and move.watcher is not None:
        operation.until_ready[move.watcher] = number
    if move.forgets and move.watcher is not None:
        state.leaving.add(move.watcher)
    if isinstance(move.ask, AddWatcher):
        state.watchers.setdefault(move.ask.watcher, WatcherFacts(move.ask.spec))
    return replace(move.ask, ask=number)


def _begin_stage(state: ArbiterState, operation: Operation, now: float) -> None:
    stage = operation.stages.popleft()
    if isinstance(stage, LaterStage):
        operation.stages.extendleft(reversed(_planned(state, operation, stage)))
        return
    operation.moves.extend(stage)
    if operation.has_paced:
        operation.paced_from = now + state.spec.warmup_delay
    operation.goes_on_at = now + max((move.patience for move in stage), default=inf)
    if operation.end_by < inf:
        operation.hasten_at = now + _share(state, operation, stage, now)


def _share(state: ArbiterState, operation: Operation, stage: Stage, now: float) -> float:
    """Return how long a stage of the end may take before nobody has any grace left.

    Each priority has an equal part of the time that is left for watchers, and what one does not
    need, those after it have. The last hooks have half of what is left then.
    """
    if any(isinstance(move.ask, AwaitHooks) for move in stage):
        return max(0.0, state.end_by - now) / 2
    # The stage of the hooks is among those to come, so this counts the priorities that are left.
    return max(0.0, operation.end_by - now) / len(operation.stages)


def _planned(state: ArbiterState, operation: Operation, stage: LaterStage) -> list[Stage]:
    if stage is LaterStage.START:
        return list(stages.start(state))
    assert operation.reading is not None, "what configures has read"
    try:
        return _configured(state, operation, operation.reading)
    except ConfigError as error:
        operation.failures[AskId(state.last_ask)] = error
        return []


def _configured(state: ArbiterState, operation: Operation, reading: ConfigRead) -> list[Stage]:
    """Plan a configuration; from now on the file is the new one, as far as it gets applied."""
    plan = plan_config(reading.configuration, state.present(reading.sockets))
    planned = list(stages.configuration(state, operation.ticket, reading, plan))
    in_file = watchers_by_key(reading.configuration.watchers)
    for key in (*plan.watchers.change, *plan.watchers.remove):
        operation.unapplied[key] = state.watchers_in_file.get(key)
    state.watchers_in_file = in_file
    if plan.sockets.is_empty:
        state.sockets_in_file = sockets_by_name(reading.configuration.sockets)
    return planned
