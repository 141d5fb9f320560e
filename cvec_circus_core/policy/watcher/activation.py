"""Watchers that start on demand: down until something connects to one of their sockets.

    UP          a connection was there; a process that exits with 0 is done, and so is any that ends
                where respawn is off. When all are done, it waits again
    ON_DEMAND   going down, or down and listening
    DOWN        stopped by hand, or given up: it does not listen

A start by hand makes it wait, which is all that its ticket promises; only a connection brings it
up. A run that does not take the connection is followed by the next one at once, for ever. A busy
service of short runs looks just the same, so many may follow each other quickly before pauses
stand between them.
"""

from __future__ import annotations

from math import inf

from cvec_circus_core.model.views import WAITS_FOR_CONNECTION
from cvec_circus_core.policy.watcher.backoff import is_quick, pause_after
from cvec_circus_core.policy.watcher.effects import Listen, Unlisten
from cvec_circus_core.policy.watcher.inputs import Wanted
from cvec_circus_core.policy.watcher.state import WatcherState

QUICK_RUNS = 20
"""So many may begin quickly after one another without a pause."""


def waits_for_connection(state: WatcherState) -> bool:
    """Tell whether a wish to come up has to wait for a connection."""
    is_down = state.wanted is not Wanted.UP and not state.restart_when_down
    return state.spec.on_demand and is_down


def begin_waiting(state: WatcherState) -> None:
    """Listen as soon as nothing is left of the run before."""
    state.want(Wanted.ON_DEMAND, WAITS_FOR_CONNECTION)
    state.listen_from = -inf


def note_run(state: WatcherState, now: float) -> None:
    """Count runs that follow each other quickly."""
    quick = is_quick(now - state.run_began_at, state.spec)
    state.run_began_at, state.quick_runs = now, state.quick_runs + 1 if quick else 0


def end_run(state: WatcherState, now: float) -> None:
    """Wait again: all processes are done."""
    begin_waiting(state)
    state.listen_from = now + pause_after(state.quick_runs - QUICK_RUNS, state.spec)


def note_connection(state: WatcherState) -> None:
    """Come up for a connection; one that is too late changes nothing."""
    state.listening = False
    if state.wanted is Wanted.ON_DEMAND:
        state.want_up_again()


def sync_listening(state: WatcherState, now: float) -> None:
    """Listen where that is due, and nowhere else."""
    wants = is_waiting(state) and now >= state.listen_from
    if state.listening and (state.sockets_changed or not wants):
        state.listening = False
        state.issue(Unlisten())
    state.sockets_changed = False
    if wants and not state.listening:
        state.listening = True
        state.issue(Listen())


def is_waiting(state: WatcherState) -> bool:
    """Tell whether a connection is all that is missing."""
    return state.wanted is Wanted.ON_DEMAND and state.is_empty and not state.restart_when_down
