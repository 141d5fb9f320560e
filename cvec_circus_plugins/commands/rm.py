"""The command rm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core.api import REQUIRED, Command, prop
from cvec_circus_plugins.commands._wishes import WishRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class RemoveRequest(WishRequest):
    """What rm takes."""

    name: str = prop(REQUIRED, "watcher", positional=True, each=True, pattern=True)
    nostop: bool = prop(False, "forget the watcher, but leave its processes running")


class Remove(Command):
    """Stop a watcher and forget it.

    Its processes are stopped gracefully; with `nostop` they are left running without supervision.
    A watcher of the configuration file comes back with reloadconfig.

    Request::

        {"command": "rm", "properties": {"name": "web", "nostop": false, "waiting": false}}

    The reply is ok::

        {"status": "ok", "time": 1332265655.9}

    Command line::

        circusctl rm NAME... [--nostop] [--waiting]
    """

    name = "rm"
    request = RemoveRequest
    other_names: ClassVar[Mapping[str, str]] = {
        "delete": "rm NAME",
        "del": "rm NAME",
        "remove": "rm NAME",
    }

    async def execute(self, supervisor: Supervisor, request: RemoveRequest) -> dict[str, Any]:
        """Remove it, and wait if asked to."""
        ticket = supervisor.remove(request.name, nostop=request.nostop)
        if request.waiting:
            await ticket
        return {}
