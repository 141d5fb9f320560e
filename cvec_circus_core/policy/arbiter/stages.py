"""What each request consists of: its stages, planned from what is known when their turn comes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby

from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Needs
from cvec_circus_core.model.socket_use import socket_use
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.arbiter.effects import (
    AddWatcher,
    ChangeWatcher,
    ExchangeSockets,
    ReloadWatcher,
    ReplaceProcesses,
    SendWish,
)
from cvec_circus_core.policy.arbiter.inputs import ConfigRead, WatcherFacts
from cvec_circus_core.policy.arbiter.state import ArbiterState, Move, Stage, Wait
from cvec_circus_core.policy.config_plan import ConfigPlan
from cvec_circus_core.policy.config_steps import Action, ConfigStep
from cvec_circus_core.policy.order import start_groups, start_order, stop_order
from cvec_circus_core.policy.port_moves import joined_with_givers, let_go, ports_named_by
from cvec_circus_core.policy.watcher.inputs import Go, TicketId
from cvec_circus_core.policy.watcher.spec_change import changed

_SPARE = 5.0
"""Seconds that a watcher may be late before nobody waits for it any more."""

_WISHES = {Action.RESTART: Go.RESTART, Action.START: Go.START}


def key_of(facts: WatcherFacts) -> str:
    """Return the key of a watcher."""
    return name_key(facts.spec.name)


def start(state: ArbiterState, done: frozenset[str] = frozenset()) -> Iterator[Stage]:
    """Yield one stage for each priority: watchers of one priority start side by side.

    Those that are ``done`` had their turn before a daemon died: what has been wanted since stays.
    """
    chosen = [
        facts
        for key, facts in state.watchers.items()
        if facts.spec.autostart and key not in state.leaving and key not in done
    ]
    for group in start_groups(chosen):
        yield tuple(
            Move(SendWish(key_of(facts), Go.START), Wait.READY, is_paced=True) for facts in group
        )


def stop(state: ArbiterState, *, closes: bool = False) -> Iterator[Stage]:
    """Yield one stage for each priority, lowest first: watchers of one end side by side.

    Nobody waits for those that are not up, so they are asked with the first.
    """
    ordered = stop_order(state.watchers.values())
    asleep = [facts for facts in ordered if not facts.is_up]
    awake = [facts for facts in ordered if facts.is_up]
    groups = [list(group) for _, group in groupby(awake, key=lambda facts: facts.spec.priority)]
    for group in [stop_order([*asleep, *(groups[0] if groups else [])]), *groups[1:]]:
        yield tuple(
            Move(SendWish(key_of(facts), Go.STOP, closes), patience=_patience(facts))
            for facts in group
        )


def _patience(facts: WatcherFacts) -> float:
    """Return how long a stop may take where nothing is broken.

    That is for hooks, for the end of requests, and two graces, the second for what a process has
    left behind.
    """
    spec = facts.spec
    return 2 * (spec.hook_timeout + spec.graceful_timeout) + spec.finish_timeout + _SPARE


def reload(state: ArbiterState, *, graceful: bool, sequential: bool) -> Iterator[Stage]:
    """Yield a stage for each watcher."""
    for facts in start_order(state.watchers.values()):
        key = key_of(facts)
        ask = ReloadWatcher(key, sequential) if graceful else SendWish(key, Go.RESTART)
        wait = Wait.ENDED if graceful else Wait.READY
        yield (Move(ask, wait, only_if_up=True),)


def removal(facts: WatcherFacts, go: Go = Go.STOP) -> Move:
    """Return the move after whose end a watcher is forgotten."""
    patience = _patience(facts)
    return Move(SendWish(key_of(facts), go, closes=True), patience=patience, forgets=True)


def configuration(
    state: ArbiterState, ticket: TicketId, reading: ConfigRead, plan: ConfigPlan
) -> Iterator[Stage]:
    """Yield the stages of a new configuration: sockets, removals, then group after group.

    Watchers in the way of a socket that has to give its very address to its successor are down
    while the sockets are exchanged, and so are those that hold an address themselves. What uses
    another socket afterwards gets new processes last.
    """
    givers = [key for key in sorted(reading.givers) if state.watchers[key].is_up]
    displaced = [key for key in _displaced(state, reading) if key not in givers]
    yield tuple(Move(SendWish(key, Go.STOP)) for key in (*displaced, *givers))
    # One that comes back while it is leaving comes when it has left.
    yield tuple(removal(state.watchers[key]) for key in plan.watchers.add if key in state.leaving)
    if not plan.sockets.is_empty:
        yield (Move(ExchangeSockets(ticket)),)
    yield tuple(Move(SendWish(key, Go.START), Wait.NEVER) for key in displaced)
    removals = [step for step in plan.steps if step.action is Action.REMOVE]
    for priority, group in groupby(removals, key=lambda step: step.priority):
        moves = (removal(state.watchers[step.key]) for step in group)
        # Those of a higher priority wait for these to be gone; nothing else does, unless something
        # new needs what they hold.
        is_last = priority == removals[-1].priority and not _needs_room(state, plan, reading)
        yield tuple(replace(move, wait=Wait.LATER) if is_last else move for move in moves)
    for turn in _turns(state, plan):
        yield tuple(_group(plan, turn, givers))
    yield tuple(
        Move(ReplaceProcesses(key), Wait.LATER)
        for key in plan.other_sockets
        if not _is_replaced(state, plan, key)
    )


def _turns(state: ArbiterState, plan: ConfigPlan) -> Iterator[list[ConfigStep]]:
    """Yield the steps of those that stay or come, by priority, but a port is left before taken."""
    staying = {step.key: step for step in plan.steps if step.action is not Action.REMOVE}
    by_priority = [
        [step.key for step in group]
        for _, group in groupby(staying.values(), key=lambda step: step.priority)
    ]
    given = {
        key: let_go(state.watchers[key].spec, new) for key, new in plan.watchers.change.items()
    }
    for keys in joined_with_givers(by_priority, _taken(state, plan), given):
        yield [staying[key] for key in keys]


def _taken(state: ArbiterState, plan: ConfigPlan) -> dict[str, frozenset[int]]:
    """Return what may be ports that watchers will have which they have not now, by their keys."""
    added = {key: ports_named_by(spec) for key, spec in plan.watchers.add.items()}
    changed_specs = plan.watchers.change.items()
    return {**added, **{key: let_go(new, state.watchers[key].spec) for key, new in changed_specs}}


def _displaced(state: ArbiterState, reading: ConfigRead) -> Iterator[str]:
    """Yield the watchers that use a socket whose address its successor needs."""
    if not reading.late_sockets:
        return
    for key, facts in state.watchers.items():
        names = socket_use(facts.spec, tuple(reading.sockets)).names
        if facts.is_up and not reading.late_sockets.isdisjoint(names):
            yield key


def _group(
    plan: ConfigPlan, group: Iterable[ConfigStep], givers: Collection[str]
) -> Iterator[Move]:
    """Yield the moves of one priority: all that come and all that change, then the starts."""
    added = []
    for step in group:
        if step.action is Action.ADD:
            spec = plan.watchers.add[step.key]
            yield Move(AddWatcher(step.key, spec))
            if spec.autostart:
                added.append(step.key)
        elif step.key in plan.watchers.change:
            spec = plan.watchers.change[step.key]
            then = Go.START if step.key in givers else _WISHES.get(step.action)
            wait = Wait.ENDED if then is None else Wait.READY
            ask = ChangeWatcher(step.key, spec, then)
            yield Move(ask, wait)
    yield from (Move(SendWish(key, Go.START), Wait.READY, is_paced=True) for key in added)


def _needs_room(state: ArbiterState, plan: ConfigPlan, reading: ConfigRead) -> bool:
    """Tell whether a new process may have to bind an address that a removed watcher still holds.

    One that was renamed does. What has managed sockets comes at once: the daemon keeps those open,
    so that new processes and old ones can have them side by side, and no gap is needed.
    """
    sockets = tuple(spec.name for spec in reading.configuration.sockets)
    if any(
        spec.autostart and not socket_use(spec, sockets).names
        for spec in plan.watchers.add.values()
    ):
        return True
    removed = [ports_named_by(state.watchers[key].spec) for key in plan.watchers.remove]
    return (
        not frozenset().union(*_taken(state, plan).values()).isdisjoint(frozenset().union(*removed))
    )


def _is_replaced(state: ArbiterState, plan: ConfigPlan, key: str) -> bool:
    """Tell whether a watcher gets new processes anyway."""
    old, new = state.watchers[key].spec, plan.watchers.change.get(key)
    return new is not None and Needs.NEW_PROCESSES in changed(old, new).needs
