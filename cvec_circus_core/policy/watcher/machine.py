"""The machine of a watcher: ``step`` takes what happened and returns what to do.

Inputs are recorded one by one, then the gap between wanted and actual is closed once. The state is
changed in place and belongs to the caller alone; the same state and inputs always give the same
effects. Invariants, tested by random histories: never more processes than wanted plus surge, one
``reap`` for every ``spawn``, every ticket settled, every stop ends.
"""

from __future__ import annotations

from collections.abc import Iterable

from cvec_circus_core.policy.watcher.activation import is_waiting
from cvec_circus_core.policy.watcher.advance import advance, may_spawn
from cvec_circus_core.policy.watcher.effects import Effect
from cvec_circus_core.policy.watcher.inputs import Input, Wanted
from cvec_circus_core.policy.watcher.record import record
from cvec_circus_core.policy.watcher.state import WatcherState


def step(state: WatcherState, inputs: Iterable[Input], now: float) -> list[Effect]:
    """Record the inputs, close the gap, and return the effects in order."""
    for received in inputs:
        record(state, received, now)
    advance(state, now)
    effects, state.effects = state.effects, []
    return effects


def wake_at(state: WatcherState) -> float | None:
    """Return the next moment at which a `Tick` is needed, or None."""
    soonest = state.alarms.first(state.slots)
    if is_waiting(state) and not state.listening:
        return state.listen_from if soonest is None else min(soonest, state.listen_from)
    # What may be spawned and was not, in the step before, waits for nothing but its moment.
    if state.wanted is Wanted.UP and may_spawn(state):
        return state.spawn_from if soonest is None else min(soonest, state.spawn_from)
    return soonest
