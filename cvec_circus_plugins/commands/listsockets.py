"""The command listsockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import SocketView, Supervisor


class ListSocketsRequest(Request):
    """What listsockets takes: nothing."""


class ListSockets(Command):
    """List the managed sockets.

    Request::

        {"command": "listsockets"}

    The reply has them in the order of their descriptors. A socket of any free port is listed with
    the one that it got, a Unix socket with its path::

        {"status": "ok", "time": 1332265655.9, "sockets": [
            {"fd": 7, "name": "admin", "backlog": 2048, "path": "/run/admin.sock"},
            {"fd": 8, "name": "web", "backlog": 2048, "host": "127.0.0.1", "port": 8080}]}

    Command line::

        circusctl listsockets
    """

    name = "listsockets"
    request = ListSocketsRequest
    acts = False
    prompt = True
    nothing = "there are no managed sockets"

    async def execute(self, supervisor: Supervisor, request: ListSocketsRequest) -> dict[str, Any]:
        """Look at them."""
        return {"sockets": [shown(view) for view in supervisor.sockets.views()]}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show one line for each."""
        return "\n".join(map(line, reply["sockets"]))


def shown(one: SocketView) -> dict[str, Any]:
    """Return a socket as a JSON object."""
    where = {"host": one.host, "port": one.port} if one.path is None else {"path": one.path}
    return {"fd": one.fd, "name": one.name, "backlog": one.backlog, **where}


def line(one: Mapping[str, Any]) -> str:
    """Return a socket as a line for people."""
    where = one["path"] if "path" in one else f"{one['host']}:{one['port']}"
    return f"{one['fd']}:socket '{one['name']}' at {where}"
