"""`circusctl uptime`: a command that does not come with cvec_circus.

The whole package is this file and an entry point. The class is loaded twice: in the daemon, which
calls `execute`, and in circusctl, which calls `compose` and `show`. All it may import of the
kernel is `cvec_circus_core.api`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, Request, prop

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}


class UptimeRequest(Request):
    """Whose uptime, and how it is told."""

    name: str | None = prop(None, "watcher; all of them when not given", positional=True)
    unit: str = prop("seconds", "what the numbers count", choices=tuple(UNITS))


class Uptime(Command):
    """Tell how long the processes of a watcher have been running.

    One line per process: the watcher, the number of the worker, its pid and its age.
    """

    name = "uptime"
    request = UptimeRequest
    acts = False

    async def execute(self, supervisor: Supervisor, request: UptimeRequest) -> Mapping[str, Any]:
        """Return a row per process. Raises `UnknownWatcher`."""
        chosen = (
            supervisor.watchers() if request.name is None else [supervisor.watcher(request.name)]
        )
        views = [watcher.view() for watcher in chosen]
        pids = [process.pid for view in views for process in view.processes]
        infos = await supervisor.process_info(pids)
        rows = [
            {"name": view.name, "wid": process.wid, "pid": process.pid, "age": info["age"]}
            for view in views
            for process in view.processes
            # A process that ended meanwhile is told as a text.
            if isinstance(info := infos.get(process.pid), Mapping)
        ]
        return {"processes": rows, "unit": request.unit}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Return a line per process."""
        per_unit = UNITS[reply["unit"]]
        return "\n".join(
            f"{row['name']} {row['wid']} {row['pid']}: {row['age'] / per_unit:.1f} {reply['unit']}"
            for row in reply["processes"]
        )
