"""The command listsockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, Request, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import SocketView, Supervisor


class ListSocketsRequest(Request):
    """What listsockets takes: nothing."""


class ListSockets(Command):
    """List the managed sockets.

    Request::

        {"command": "listsockets"}

    The reply has them in the order of their descriptors. A socket with port 0 is listed with
    the port that it got, a Unix socket with its path::

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
        return {"sockets": [socket_object(view) for view in supervisor.sockets.views()]}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show one line for each."""
        return "\n".join(map(socket_line, reply["sockets"]))

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row for each."""
        rows = [
            (str(socket["fd"]), socket["name"], _address(socket), _backlog(socket))
            for socket in reply["sockets"]
        ]
        return (
            (Table(("FD", "NAME", "ADDRESS", "BACKLOG"), rows, ("FD", "BACKLOG")),) if rows else ()
        )


def socket_object(view: SocketView) -> dict[str, Any]:
    """Return a socket as a JSON object."""
    address = {"host": view.host, "port": view.port} if view.path is None else {"path": view.path}
    return {"fd": view.fd, "name": view.name, "backlog": view.backlog, **address}


def socket_line(socket: Mapping[str, Any]) -> str:
    """Return a socket as a line for people."""
    return f"{socket['fd']}:socket '{socket['name']}' at {_address(socket)}"


def _address(socket: Mapping[str, Any]) -> str:
    if "path" in socket:
        return str(socket["path"])
    host = f"[{socket['host']}]" if ":" in socket["host"] else socket["host"]
    return f"{host}:{socket['port']}"


def _backlog(socket: Mapping[str, Any]) -> str:
    backlog = socket.get("backlog")
    return "" if backlog is None else str(backlog)
