"""The command reopen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, Request, prop
from cvec_circus_plugins.commands._wishes import selected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class ReopenRequest(Request):
    """What reopen takes."""

    name: str | None = prop(
        None,
        "watcher, or a pattern such as 'web*'; all when not given",
        positional=True,
        each=True,
        names="watcher",
    )


class Reopen(Command):
    """Open the files of the streams of a watcher, of several, or of all, anew.

    For use after files were renamed, as by logrotate: later output goes to new files of the same
    names. Nothing is lost, and processes are not affected. SIGUSR1 to the
    daemon does the same for all watchers, and for the daemon's log.

    Request::

        {"command": "reopen", "properties": {"name": "web"}}

    The reply names the watchers::

        {"status": "ok", "time": 1332265655.9, "reopened": ["web"]}

    Command line::

        circusctl reopen [NAME...]
    """

    name = "reopen"
    request = ReopenRequest

    async def execute(self, supervisor: Supervisor, request: ReopenRequest) -> dict[str, Any]:
        """Reopen them."""
        name = request.name
        watchers = supervisor.watchers() if name is None else selected(supervisor, name)
        chosen = [
            watcher
            for watcher in watchers
            if watcher.spec.stdout_stream or watcher.spec.stderr_stream
        ]
        for watcher in chosen:
            watcher.reopen()
        return {"reopened": [watcher.name for watcher in chosen]}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show ok."""
        return "ok"
