"""The command listpids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import REQUIRED, Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class ListPidsRequest(Request):
    """What listpids takes."""

    name: str = prop(REQUIRED, "watcher", positional=True, each=True, pattern=True)


class ListPids(Command):
    """List the pids of the processes of a watcher.

    Request::

        {"command": "listpids", "properties": {"name": "web"}}

    The reply has them::

        {"status": "ok", "time": 1332265655.9, "pids": [4711, 4712]}

    Command line::

        circusctl listpids NAME...
    """

    name = "listpids"
    request = ListPidsRequest
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: ListPidsRequest) -> dict[str, Any]:
        """Look at them."""
        processes = supervisor.watcher(request.name).view().processes
        return {"pids": [process.pid for process in processes]}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show one line, with commas."""
        return ",".join(str(pid) for pid in reply["pids"])
