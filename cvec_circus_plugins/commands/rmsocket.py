"""The command rmsocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import REQUIRED, Command, Request, prop

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor


class RemoveSocketRequest(Request):
    """What rmsocket takes."""

    name: str = prop(REQUIRED, "socket", positional=True, each=True, names="socket")


class RemoveSocket(Command):
    """Close a managed socket.

    It is refused while a watcher uses the socket, running or not. A socket of the configuration
    file comes back with reloadconfig.

    Request::

        {"command": "rmsocket", "properties": {"name": "web"}}

    The reply is ok::

        {"status": "ok", "time": 1332265655.9}

    Command line::

        circusctl rmsocket NAME...
    """

    name = "rmsocket"
    request = RemoveSocketRequest

    async def execute(self, supervisor: Supervisor, request: RemoveSocketRequest) -> dict[str, Any]:
        """Close it."""
        supervisor.sockets.remove(request.name)
        return {}
