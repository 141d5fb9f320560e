"""The command numprocesses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core.api import Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class NumProcessesRequest(Request):
    """What numprocesses takes."""

    name: str | None = prop(
        None, "watcher; all when not given", positional=True, each=True, pattern=True
    )


class NumProcesses(Command):
    """Show how many processes there are, in a watcher or in all.

    Request::

        {"command": "numprocesses", "properties": {"name": "web"}}

    The reply has the number, and the name if one was given::

        {"status": "ok", "time": 1332265655.9, "numprocesses": 3, "watcher_name": "web"}

    Command line::

        circusctl numprocesses [NAME...]
    """

    name = "numprocesses"
    request = NumProcessesRequest
    other_names: ClassVar[Mapping[str, str]] = {
        "scale": "set NAME numprocesses NUMBER; numprocesses tells it"
    }
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: NumProcessesRequest) -> dict[str, Any]:
        """Count them."""
        if request.name is None:
            return {
                "numprocesses": sum(
                    len(watcher.view().processes) for watcher in supervisor.watchers()
                )
            }
        count = len(supervisor.watcher(request.name).view().processes)
        return {"numprocesses": count, "watcher_name": request.name}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show the number."""
        return str(reply["numprocesses"])
