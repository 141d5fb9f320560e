"""The command reloadconfig."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command
from cvec_circus_plugins.commands._wishes import WishRequest

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor


class ReloadConfig(Command):
    """Read the configuration again and apply what differs.

    Watchers that are new are started, those that are gone are stopped, and those whose options
    differ get them. What did not change is left alone. A file with mistakes changes nothing.

    Request::

        {"command": "reloadconfig", "properties": {"waiting": true}}

    The reply is ok::

        {"status": "ok", "time": 1332265655.9}

    Command line::

        circusctl reloadconfig [--waiting]
    """

    name = "reloadconfig"
    request = WishRequest

    async def execute(self, supervisor: Supervisor, request: WishRequest) -> dict[str, Any]:
        """Apply it, and wait if asked to."""
        ticket = supervisor.reload_config()
        if request.waiting:
            await ticket
        return {}
