"""What the commands that act on watchers have in common: whom they mean, and when they are done.

A wish is made at once and gives a ticket. All tickets of a request are taken before the first one
is awaited, so that watchers go ahead side by side; and all are awaited even when one fails, so that
the answer does not come while something is still under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Request, prop

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cvec_circus_core.api import Done, Supervisor, Ticket, WatcherPort

WAYS_TO_MATCH = ("glob", "simple", "regex")


class WishRequest(Request):
    """A request that may be answered when it is done."""

    waiting: bool = prop(False, "answer when it is done, not when it has begun")


class WatchersRequest(WishRequest):
    """A request to one watcher, to those that match a pattern, or to all."""

    name: str | None = prop(
        None,
        "watcher, or a pattern such as 'web*'; all when not given",
        positional=True,
        each=True,
        names="watcher",
    )


class MatchRequest(WatchersRequest):
    """A request that says how its pattern is read."""

    match: str = prop("glob", "how NAME is read", choices=WAYS_TO_MATCH)


def selected(supervisor: Supervisor, name: str, match: str = "glob") -> Sequence[WatcherPort]:
    """Return the watchers that are meant, highest priority first. Raises `RequestError`.

    A name that has the marks of a pattern in it still means the watcher of that name.
    """
    if match == "glob":
        try:
            return [supervisor.watcher(name)]
        except api.UnknownWatcher:
            pass
    return supervisor.matching(name, match)


async def all_done(tickets: Iterable[Ticket]) -> list[Done]:
    """Wait for all and return what was done; then raise the first error, if there was outcome."""
    done, first_error = [], None
    for ticket in tickets:
        try:
            done.append(await ticket)
        except api.CircusError as error:
            first_error = first_error or error
    if first_error is not None:
        raise first_error
    return done


def replaced(done: Sequence[Done]) -> dict[str, Any]:
    """Return the reply of what replaces processes; several watchers give no details."""
    if len(done) != 1:
        return {}
    (outcome,) = done
    return {
        "info": {
            "stopped": list(outcome.stopped),
            "started": list(outcome.started),
            "kept": list(outcome.kept),
        }
    }
