"""The command addsocket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop
from cvec_circus_plugins.commands.listsockets import socket_line, socket_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cvec_circus_core.api import Prop, Questions, Supervisor


class AddSocketRequest(Request):
    """What addsocket takes."""

    name: str = prop(REQUIRED, "name of the new socket")
    options: dict[str, Any] | None = prop(None, "options of the socket")


class AddSocketLine(Request):
    """What addsocket takes on the command line."""

    name: str = prop(REQUIRED, "name of the new socket", positional=True)
    option: list[str] = prop((), "option of the socket", positional=True, many=True)


class AddSocket(Command):
    """Open a managed socket.

    Options are those of a socket's section in the configuration file. Watchers that are added
    later can use it; a watcher that uses all sockets passes it to its next process. The socket is
    gone when the daemon ends.

    Request::

        {"command": "addsocket",
         "properties": {"name": "web", "options": {"host": "127.0.0.1", "port": 0}}}

    The reply describes it::

        {"status": "ok", "time": 1332265655.9,
         "socket": {"fd": 8, "name": "web", "backlog": 2048, "host": "127.0.0.1", "port": 40123}}

    Command line::

        circusctl addsocket NAME [KEY=VALUE]...
    """

    name = "addsocket"
    request = AddSocketRequest
    command_line = AddSocketLine

    async def execute(self, supervisor: Supervisor, request: AddSocketRequest) -> dict[str, Any]:
        """Open it."""
        if not request.name.strip():
            raise api.BadMessage("'name' is empty")
        options = request.options or {}
        try:
            return {"socket": socket_object(supervisor.sockets.add(request.name, options))}
        except api.BadMessage as error:
            from cvec_circus_plugins.commands._near_names import with_nearest

            declared = api.declared_options(api.SocketSpec)
            raise with_nearest(error, options, declared) from None

    def compose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Read the options."""
        from cvec_circus_plugins.commands._option_words import read_socket_options

        options = read_socket_options(arguments.get("option", ()))
        return {"name": arguments["name"], "options": options}

    def complete(self, prop: Prop, words: Sequence[str], questions: Questions) -> Iterable[str]:
        """Offer the options of a socket."""
        if prop.name != "option":
            return ()
        return [f"{name}=" for name in api.declared_options(api.SocketSpec)]

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show where it is."""
        return socket_line(reply["socket"])
