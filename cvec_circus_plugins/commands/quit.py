"""The command quit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core.api import Command
from cvec_circus_plugins.commands._wishes import WishRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class Quit(Command):
    """Stop everything and end the daemon.

    Watchers of the same priority are stopped in parallel, each within its graceful timeout. It
    replaces all other requests that are in progress.

    Request::

        {"command": "quit", "properties": {"waiting": true}}

    The reply is ok. With `waiting`, it comes when all processes have ended::

        {"status": "ok", "time": 1332265655.9}

    Command line::

        circusctl quit [--waiting]
    """

    name = "quit"
    request = WishRequest
    ends_daemon = True
    other_names: ClassVar[Mapping[str, str]] = {
        "shutdown": "quit",
        "terminate": "quit",
    }

    async def execute(self, supervisor: Supervisor, request: WishRequest) -> dict[str, Any]:
        """End it all, and wait if asked to."""
        ticket = supervisor.quit()
        if request.waiting:
            await ticket
        return {}

    def question(self, properties: Mapping[str, Any]) -> str:
        """Ask, for it is typed to leave the shell, too."""
        return "stop all watchers and end the daemon? (exit leaves the shell alone)"
