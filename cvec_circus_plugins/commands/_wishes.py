"""What the commands that act on watchers have in common: whom they mean, and when they are done.

A wish is made at once and gives a ticket. All tickets of a request are taken before the first one
is awaited, so that watchers go ahead side by side; and all are awaited even when one fails, so that
the answer does not come while something is still under way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Done, Supervisor, Ticket, WatcherPort

_LAST_LINES, _LAST_BYTES = 20, 4096
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


class WishCommand(Command):
    """A command that begins something, and tells what processes have said that failed."""

    def show_failure(self, reply: Mapping[str, Any]) -> str:
        """Show the last lines of the process that has failed."""
        from cvec_circus_plugins.commands._output_entries import output_lines

        return "\n".join(output_lines(reply))


async def all_done(supervisor: Supervisor, tickets: Sequence[Ticket]) -> list[Done]:
    """Wait for all and return what was done; then raise the first error, if there was one."""
    done, failures = [], []
    for ticket in tickets:
        try:
            done.append(await ticket)
        except api.CircusError as error:
            failures.append(error)
    if failures:
        failure = api.among_several(failures) if len(tickets) > 1 else failures[0]
        if isinstance(failure, api.WatcherFailed) and failure.pid is not None:
            failure.last_output = _last_output(supervisor, failure.watcher, failure.pid)
        raise failure
    return done


def _last_output(supervisor: Supervisor, name: str, pid: int) -> Sequence[Mapping[str, Any]]:
    try:
        lines = supervisor.watcher(name).recent_lines(api.OutputQuery(lines=_LAST_LINES, pid=pid))
    except api.RequestError:
        return ()  # it is gone meanwhile, or its output does not pass the daemon
    from cvec_circus_plugins.commands._output_entries import merged_entries

    return merged_entries(name, lines, _LAST_BYTES)


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
