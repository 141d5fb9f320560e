"""The command restart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import prop
from cvec_circus_plugins.commands._wishes import (
    MatchRequest,
    WishCommand,
    all_done,
    replaced,
    selected,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cvec_circus_core.api import Supervisor, WatcherPort

SIGKILL = 9


class RestartRequest(MatchRequest):
    """What restart takes."""

    terminate: bool = prop(False, "end the processes by SIGKILL, without waiting for them")
    rolling: bool = prop(False, "let new processes take over from the old ones, as reload does")


class Restart(WishCommand):
    """Restart a watcher, several, or the daemon itself.

    All processes of a watcher are stopped; when the last one is gone, new ones are started. With
    `rolling` new ones are started before the old ones are stopped, as by reload. Without a name
    the daemon restarts: it stops everything, reads its configuration again and begins anew under
    the same pid. Its endpoints and its pid file stay what they are until circusd itself starts
    again; the log says where the configuration has others.

    Request::

        {"command": "restart", "properties": {"name": "web", "waiting": true}}

    The reply is ok. With `waiting`, and if exactly one watcher was meant, it has the pids::

        {"status": "ok", "time": 1332265655.9,
         "info": {"stopped": [4711], "started": [4712], "kept": []}}

    Command line::

        circusctl restart [NAME...] [--match glob|simple|regex] [--terminate|--rolling] [--waiting]
    """

    name = "restart"
    request = RestartRequest

    async def execute(self, supervisor: Supervisor, request: RestartRequest) -> dict[str, Any]:
        """Restart them, and wait if asked to."""
        if request.rolling and (request.name is None or request.terminate):
            raise api.BadMessage("'rolling' needs a name, and goes without 'terminate'")
        if request.name is None:
            reading = await supervisor.read_config()
            if request.terminate:
                _end(supervisor.watchers())
            everything = supervisor.restart_all(reading)
            if request.waiting:
                await all_done(supervisor, [everything])
            return {}
        watchers = selected(supervisor, request.name, request.match)
        if request.terminate:
            _end(watchers)
        tickets = [
            watcher.reload() if request.rolling else watcher.restart() for watcher in watchers
        ]
        return replaced(await all_done(supervisor, tickets)) if request.waiting else {}


def _end(watchers: Iterable[WatcherPort]) -> None:
    for watcher in watchers:
        if watcher.view().processes:
            watcher.kill(None, SIGKILL, 0.0)
