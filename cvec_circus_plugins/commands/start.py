"""The command start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import WatcherStatus, prop
from cvec_circus_plugins.commands._wishes import (
    MatchRequest,
    WishCommand,
    all_done,
    selected,
)

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor, WatcherPort


class StartRequest(MatchRequest):
    """What start takes."""

    stopped_for: str | None = prop(
        None, "only where it is stopped, and for this reason", hidden=True
    )


class Start(WishCommand):
    """Start a watcher, several, or all.

    Without a name, every watcher with autostart is started. In a watcher that is active already,
    missing processes are spawned. Names are read as patterns unless `match` says otherwise.

    Request::

        {"command": "start", "properties": {"name": "web*", "match": "glob", "waiting": true}}

    The reply is ok. With `waiting`, and if exactly one watcher was meant, it has the pids::

        {"status": "ok", "time": 1332265655.9, "info": {"started": [4711], "kept": []}}

    A program that has stopped a watcher with a `reason` gives it again as `stopped_for`: nothing is
    started then where an operator has stopped the watcher meanwhile. The reply has the names of
    those that are, as `started`.

    Command line::

        circusctl start [NAME...] [--match glob|simple|regex] [--waiting]
    """

    name = "start"
    request = StartRequest

    async def execute(self, supervisor: Supervisor, request: StartRequest) -> dict[str, Any]:
        """Start them, and wait if asked to."""
        if request.name is None:
            everything = supervisor.start_all()
            if request.waiting:
                await all_done(supervisor, [everything])
            return {}
        watchers = selected(supervisor, request.name, request.match)
        if request.stopped_for is not None:
            chosen = [
                watcher for watcher in watchers if _is_stopped_for(watcher, request.stopped_for)
            ]
            tickets = [watcher.start() for watcher in chosen]
            if request.waiting:
                await all_done(supervisor, tickets)
            return {"started": [watcher.name for watcher in chosen]}
        tickets = [watcher.start() for watcher in watchers]
        if not request.waiting:
            return {}
        done = await all_done(supervisor, tickets)
        if len(done) != 1:
            return {}
        return {"info": {"started": list(done[0].started), "kept": list(done[0].kept)}}


def _is_stopped_for(watcher: WatcherPort, reason: str) -> bool:
    view = watcher.view()
    return view.status is WatcherStatus.STOPPED and view.health.reason == reason
