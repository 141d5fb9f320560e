"""The machine of all watchers together: which of them is asked for what, and when.

``step`` takes what happened and returns what to do. The runtime sends the wishes to the machines of
the watchers, exchanges the sockets, and answers every effect that has a number. Watchers know
nothing of each other: what one has to wait for of another is decided here, from facts (`Became`,
`Troubled`, `Answered`), and nothing is asked of the operating system.

A caller that wants something of several watchers has an operation (`state.py`), and what it
consists of stands in `stages.py`. Operations go on side by side; a wish for all watchers to stop,
restart or quit ends those before it. A watcher that fails keeps no other from its turn: the
operation goes on, and its ticket tells the first failure at the end.

Invariants, tested by random histories: every ticket is settled once; each effect with a number has
a number of its own; starts keep the order of priority and the pause between them, stops the
reverse; what the file says already changes nothing; after a quit nothing is started, and every quit
ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from cvec_circus_core.policy.arbiter.advance import advance, wakes_at
from cvec_circus_core.policy.arbiter.effects import ArbiterEffect
from cvec_circus_core.policy.arbiter.inputs import ArbiterInput
from cvec_circus_core.policy.arbiter.record import record
from cvec_circus_core.policy.arbiter.state import ArbiterState


def step(state: ArbiterState, inputs: Iterable[ArbiterInput], now: float) -> list[ArbiterEffect]:
    """Record the inputs, let the operations go on, and return the effects in order."""
    effects: list[ArbiterEffect] = []
    for fact in inputs:
        effects.extend(record(state, fact, now))
    effects.extend(advance(state, now))
    return effects


def wake_at(state: ArbiterState) -> float | None:
    """Return the next moment at which a `Tick` is needed, or None."""
    soonest = min((wakes_at(operation) for operation in state.operations.values()), default=inf)
    return None if soonest == inf else soonest
