"""Watchers that start on demand: down until somebody knocks at one of their sockets.

    UP          somebody has knocked; a process that exits with 0 is done, and so is any that ends
                where respawn is off. When all are done, it waits again
    ON_DEMAND   going down, or down and listening
    DOWN        stopped by hand, or given up: nobody listens

A start by hand makes it wait, which is all that its ticket promises; only a connection brings it
up. A run that does not take the
connection is followed by the next one at once, for ever. A busy service of short runs looks just
the same, so many may follow each other quickly before pauses come between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from cvec_circus_core.policy.watcher.backoff import is_quick, pause_after
from cvec_circus_core.policy.watcher.effects import Effect, Listen, Unlisten
from cvec_circus_core.policy.watcher.inputs import Wanted
from cvec_circus_core.policy.watcher.state import WatcherState

WAITING = "waits for a connection"
QUICK_RUNS = 20
"""So many may begin quickly after one another without a pause."""


def waits_for_demand(state: WatcherState) -> bool:
    """Tell whether a wish to come up has to wait for a connection."""
    return state.spec.on_demand and state.wanted is not Wanted.UP and not state.again


def begin_waiting(state: WatcherState) -> None:
    """Listen as soon as nothing is left of the run before."""
    state.wanted, state.reason, state.gave_up = Wanted.ON_DEMAND, WAITING, False
    state.listen_from = -inf


def note_begin(state: WatcherState, now: float) -> None:
    """Count runs that follow each other quickly."""
    quick = is_quick(now - state.begun_at, state.spec)
    state.begun_at, state.quick_runs = now, state.quick_runs + 1 if quick else 0


def on_run_over(state: WatcherState, now: float) -> None:
    """Wait again: all processes are done."""
    begin_waiting(state)
    state.listen_from = now + pause_after(state.quick_runs - QUICK_RUNS, state.spec)


def on_connection(state: WatcherState) -> None:
    """Come up for somebody who has knocked; a knock that comes too late is no news."""
    state.listening = False
    if state.wanted is Wanted.ON_DEMAND:
        state.again = True


def sync_listening(state: WatcherState, now: float) -> Iterator[Effect]:
    """Listen where that is due, and nowhere else."""
    wants = is_waiting(state) and now >= state.listen_from
    if wants and not state.listening:
        state.listening = True
        yield Listen()
    elif state.listening and not wants:
        yield from stop_listening(state)


def stop_listening(state: WatcherState) -> Iterator[Effect]:
    """Listen no more, or anew after this step: the sockets may be others."""
    if state.listening:
        state.listening = False
        yield Unlisten()


def is_waiting(state: WatcherState) -> bool:
    """Tell whether a connection is all that is missing."""
    return state.wanted is Wanted.ON_DEMAND and state.is_empty and not state.again
