"""`circusctl uptime`: a command that does not come with cvec_circus.

The whole package is this file and an entry point. The class is loaded twice: in the daemon, which
calls `execute`, and in circusctl, which calls all the rest: `show` makes the lines of a pipe,
`tables` the table of a terminal, and the request type says what is completed. All it may import of
the kernel is `cvec_circus_core.api`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, Request, Table, prop

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor

UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}


class UptimeRequest(Request):
    """Whose uptime, and how it is told."""

    # Several names or patterns are a request each, and names are completed.
    name: str | None = prop(
        None, "watcher; all of them when not given", positional=True, each=True, pattern=True
    )
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
        unit = reply["unit"]
        return "\n".join(
            f"{row['name']} {row['wid']} {row['pid']}: {_age(row, unit)} {unit}"
            for row in reply["processes"]
        )

    def show_among(self, name: str, reply: Mapping[str, Any]) -> str:
        """Return the same lines where several watchers are shown: the names are there."""
        return self.show(reply)

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Return what a terminal shows instead of the lines."""
        rows = [
            (row["name"], str(row["wid"]), str(row["pid"]), _age(row, reply["unit"]))
            for row in reply["processes"]
        ]
        titles = ("NAME", "WID", "PID", f"AGE ({reply['unit'].upper()})")
        return (Table(titles, rows, numbers=titles[1:]),) if rows else ()

    def joined(self, replies: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return one reply about several watchers, for one table."""
        rows = [row for reply in replies.values() for row in reply["processes"]]
        return {"processes": rows, "unit": next(iter(replies.values()))["unit"]}


def _age(row: Mapping[str, Any], unit: str) -> str:
    return f"{row['age'] / UNITS[unit]:.1f}"
