"""A command: ``circusctl openfiles``.

The class is loaded twice: in the daemon, which calls `execute`, and in circusctl, which builds a
command line from the request type and prints what `show` makes of the reply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from circus_extras.numbers import open_files
from cvec_circus_core.api import Command, Request, prop

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor


class OpenFilesRequest(Request):
    """Whose files."""

    name: str | None = prop(None, "watcher; all of them when not given", positional=True)
    at_least: int = prop(0, "leave out processes that have fewer")


class OpenFiles(Command):
    """Tell how many files the processes of a watcher have open.

    One line per process: the watcher, the number of the worker, its pid and the number of files.
    """

    name = "openfiles"
    request = OpenFilesRequest
    acts = False

    async def execute(self, supervisor: Supervisor, request: OpenFilesRequest) -> Mapping[str, Any]:
        """Return a row per process. Raises `UnknownWatcher`."""
        chosen = (
            supervisor.watchers() if request.name is None else [supervisor.watcher(request.name)]
        )
        rows = []
        for watcher in chosen:
            for process in watcher.view().processes:
                count = open_files(process.pid)
                if count is not None and count >= request.at_least:
                    row = {"name": watcher.name, "wid": process.wid, "pid": process.pid}
                    rows.append({**row, "files": count})
        return {"processes": rows}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Return a line per process."""
        return "\n".join(
            f"{row['name']} {row['wid']} {row['pid']}: {row['files']}" for row in reply["processes"]
        )
