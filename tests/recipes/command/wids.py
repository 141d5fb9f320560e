"""The command wids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import REQUIRED, Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class WidsRequest(Request):
    """What wids takes."""

    name: str = prop(REQUIRED, "watcher", positional=True, each=True, pattern=True)


class Wids(Command):
    """Tell which process each worker of a watcher has.

    Request::

        {"command": "wids", "properties": {"name": "web"}}

    The reply has the pid of every worker, by its number::

        {"status": "ok", "time": 1332265655.9, "wids": {"1": 4711, "2": 4712}}

    Command line::

        circusctl wids NAME...
    """

    name = "wids"
    request = WidsRequest
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: WidsRequest) -> dict[str, Any]:
        """Look at the processes. Raises `UnknownWatcher`."""
        processes = supervisor.watcher(request.name).view().processes
        return {"wids": {str(process.wid): process.pid for process in processes}}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per worker."""
        return "\n".join(f"{wid} {pid}" for wid, pid in reply["wids"].items())
