"""The command get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop
from cvec_circus_plugins.commands._lines import option_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Supervisor, Table


class GetRequest(Request):
    """What get takes."""

    name: str = prop(REQUIRED, "watcher", positional=True, pattern=True)
    keys: list[str] = prop(
        REQUIRED, "option", positional=True, many=True, metavar="KEY", names="option"
    )


class Get(Command):
    """Show the values of some options of a watcher.

    See options for all of them.

    Request::

        {"command": "get", "properties": {"name": "web", "keys": ["cmd", "numprocesses"]}}

    The reply has them by key; one unknown key makes it an error::

        {"status": "ok", "time": 1332265655.9, "options": {"cmd": "web", "numprocesses": 3}}

    Command line::

        circusctl get NAME KEY...
    """

    name = "get"
    request = GetRequest
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: GetRequest) -> dict[str, Any]:
        """Look them up."""
        watcher = supervisor.watcher(request.name)
        options = watcher.options()
        try:
            values = {
                key: options[key] if key in options else api.shown_option(watcher.spec, key)
                for key in request.keys
            }
        except api.UnknownOption as error:
            from cvec_circus_plugins.commands._near_names import of_watchers, with_nearest

            raise with_nearest(error, request.keys, [*options, *of_watchers()]) from None
        return {"options": values}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per option."""
        return option_lines(reply["options"])

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row per option."""
        from cvec_circus_plugins.commands._tables import option_tables

        return option_tables(reply.get("options"))
