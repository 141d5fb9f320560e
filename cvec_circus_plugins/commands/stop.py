"""The command stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, prop
from cvec_circus_plugins.commands._wishes import MatchRequest, all_done, selected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class StopRequest(MatchRequest):
    """What stop takes."""

    reason: str | None = prop(None, "why a program, not an operator, stops it", hidden=True)
    for_good: bool = prop(False, "that program will not start it again", hidden=True)


class Stop(Command):
    """Stop a watcher, several, or all.

    Every process gets the watcher's stop signal, and SIGKILL when its graceful timeout is over.
    The daemon goes on, and so do the watchers that were not meant.

    Request::

        {"command": "stop", "properties": {"name": "web", "waiting": true}}

    The reply is ok::

        {"status": "ok", "time": 1332265655.9}

    When it was asked to wait and exactly one watcher was meant, it has an `info` that is null.

    A program that stops a watcher because it fares badly gives a `reason`, which `status` tells
    from then on. Such a stop does nothing where an operator has stopped the watcher already, or is
    restarting it. With `for_good` it says that it will not start the watcher again, so that what
    `on_failure` says follows.

    Command line::

        circusctl stop [NAME...] [--match glob|simple|regex] [--waiting]
    """

    name = "stop"
    request = StopRequest

    async def execute(self, supervisor: Supervisor, request: StopRequest) -> dict[str, Any]:
        """Stop them, lowest priority first, and wait if asked to."""
        if request.name is None:
            everything = supervisor.stop_all()
            if request.waiting:
                await everything
            return {}
        watchers = selected(supervisor, request.name, request.match)
        tickets = [
            watcher.stop(request.reason, for_good=request.for_good)
            for watcher in reversed(watchers)
        ]
        if not request.waiting:
            return {}
        done = await all_done(supervisor, tickets)
        return {"info": None} if len(done) == 1 else {}

    def question(self, properties: Mapping[str, Any]) -> str:
        """Ask where no watcher is named."""
        return "" if "name" in properties else "stop all watchers?"
