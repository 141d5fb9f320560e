"""The command start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command
from cvec_circus_plugins.commands._wishes import MatchRequest, all_done, selected

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor


class Start(Command):
    """Start a watcher, several, or all.

    Without a name, every watcher with autostart is started. In a watcher that is active already,
    missing processes are spawned. Names are read as patterns unless `match` says otherwise.

    Request::

        {"command": "start", "properties": {"name": "web*", "match": "glob", "waiting": true}}

    The reply is ok. When it was asked to wait and exactly one watcher was meant, it tells pids::

        {"status": "ok", "time": 1332265655.9, "info": {"started": [4711], "kept": []}}

    Command line::

        circusctl start [NAME...] [--match glob|simple|regex] [--waiting]
    """

    name = "start"
    request = MatchRequest

    async def execute(self, supervisor: Supervisor, request: MatchRequest) -> dict[str, Any]:
        """Start them, and wait if asked to."""
        if request.name is None:
            everything = supervisor.start_all()
            if request.waiting:
                await everything
            return {}
        tickets = [one.start() for one in selected(supervisor, request.name, request.match)]
        if not request.waiting:
            return {}
        done = await all_done(tickets)
        if len(done) != 1:
            return {}
        return {"info": {"started": list(done[0].started), "kept": list(done[0].kept)}}
