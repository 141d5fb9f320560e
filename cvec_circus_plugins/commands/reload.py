"""The command reload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import prop
from cvec_circus_plugins.commands._wishes import (
    WatchersRequest,
    WishCommand,
    all_done,
    replaced,
    selected,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class ReloadRequest(WatchersRequest):
    """What reload takes."""

    graceful: bool = prop(True, "let new processes take over from the old ones", hidden=True)
    sequential: bool = prop(False, "replace one process at a time")


class ReloadLine(WatchersRequest):
    """What reload takes on the command line."""

    sequential: bool = prop(False, "replace one process at a time")
    terminate: bool = prop(False, "not gracefully: the same as restart")


class Reload(WishCommand):
    """Replace the processes of a watcher, of several, or of all, by new ones.

    New processes are started first, then the old ones are stopped; with `sequential` one after the
    other. A watcher with send_hup gets SIGHUP instead and keeps its processes. With `graceful`
    false it is the same as restart. Without a name, all active watchers are reloaded.

    Request::

        {"command": "reload",
         "properties": {"name": "web", "graceful": true, "sequential": false, "waiting": true}}

    The reply is ok. With `waiting`, and if exactly one watcher was meant, it has the pids::

        {"status": "ok", "time": 1332265655.9,
         "info": {"stopped": [4711], "started": [4712], "kept": []}}

    Command line::

        circusctl reload [NAME...] [--sequential] [--terminate] [--waiting]
    """

    name = "reload"
    request = ReloadRequest
    command_line = ReloadLine
    over_hosts = "rolling"

    async def execute(self, supervisor: Supervisor, request: ReloadRequest) -> dict[str, Any]:
        """Reload them, and wait if asked to."""
        graceful, sequential = request.graceful, request.sequential
        if request.name is None:
            everything = supervisor.reload_all(graceful=graceful, sequential=sequential)
            if request.waiting:
                await all_done(supervisor, [everything])
            return {}
        tickets = [
            watcher.reload(graceful=graceful, sequential=sequential)
            for watcher in selected(supervisor, request.name)
        ]
        return replaced(await all_done(supervisor, tickets)) if request.waiting else {}

    def compose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Turn the switch --terminate into its opposite."""
        properties = super().compose(arguments)
        if arguments.get("terminate"):
            properties["graceful"] = False
        return properties
