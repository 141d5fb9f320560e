"""The command stats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, prop
from cvec_circus_plugins.commands._printing import process_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cvec_circus_core.api import ProcessView, Supervisor, WatcherPort

GONE = "No such process (stopped?)"


class StatsRequest(Request):
    """What stats takes."""

    name: str | None = prop(None, "watcher; all when not given", positional=True)
    process: int | None = prop(
        None, "pid of one process, or its number in the watcher", positional=True, metavar="PID"
    )
    extended: bool = prop(False, "add what the watcher's extended_stats hook knows")


class Stats(Command):
    """Tell what processes use of the machine.

    Request, for all watchers, for one, or for one process::

        {"command": "stats"}
        {"command": "stats", "properties": {"name": "web"}}
        {"command": "stats", "properties": {"name": "web", "process": 4711}}

    The reply has `infos` by watcher and pid, or the `name` and `info` by pid, or the `process` and
    its `info`::

        {"status": "ok", "time": 1332265655.9, "process": 4711,
         "info": {"pid": 4711, "wid": 1, "cmdline": "web", "username": "www", "nice": 0,
                  "cpu": 0.1, "mem": 0.1, "mem_info1": "3.00M", "mem_info2": "2.00G",
                  "ctime": "0:00.41", "create_time": 1332265600.1, "started": 1332265600.1,
                  "age": 55.8, "children": []}}

    Processor shares are those since the last time somebody asked. What may not be read is N/A.

    Command line::

        circusctl stats [NAME] [PID] [--extended]
    """

    name = "stats"
    request = StatsRequest
    acts = False

    async def execute(self, supervisor: Supervisor, request: StatsRequest) -> dict[str, Any]:
        """Measure them, all in one look at the process table."""
        if request.name is None:
            if request.process is not None:
                raise api.BadMessage("'process' needs 'name'")
            return {"infos": await _everything(supervisor)}
        watcher = supervisor.watcher(request.name)
        processes = watcher.view().processes
        if request.process is not None:
            processes = (_process(watcher, processes, request.process),)
        found = await supervisor.process_info([one.pid for one in processes])
        infos = {str(one.pid): _completed(one, found.get(one.pid)) for one in processes}
        if request.extended:
            infos = {pid: await _extended(watcher, info) for pid, info in infos.items()}
        if request.process is not None:
            return {"process": request.process, "info": infos[str(processes[0].pid)]}
        return {"name": request.name, "info": infos}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per process; one process has an empty line after it."""
        if "process" in reply:
            return "\n".join([*process_lines(reply["process"], reply["info"]), ""])
        infos = reply["infos"] if "infos" in reply else {reply["name"]: reply["info"]}
        lines = []
        for name in sorted(infos):
            lines.append(f"{name}:")
            for pid, info in infos[name].items():
                lines.extend(process_lines(pid, info))
        return "\n".join(lines)


async def _everything(supervisor: Supervisor) -> dict[str, Any]:
    processes = {one.name: one.view().processes for one in supervisor.watchers()}
    found = await supervisor.process_info([one.pid for some in processes.values() for one in some])
    return {
        name: {str(one.pid): _completed(one, found.get(one.pid)) for one in some}
        for name, some in processes.items()
    }


def _process(watcher: WatcherPort, processes: Iterable[ProcessView], number: int) -> ProcessView:
    # Older clients name a process by its number in the watcher. Pids go first.
    for one in processes:
        if one.pid == number:
            return one
    for one in processes:
        if one.wid == number:
            return one
    raise api.UnknownProcess(number, watcher.name)


def _completed(process: ProcessView, info: Any) -> Any:
    if not isinstance(info, dict):
        return GONE if info is None else info
    said = {"status": process.status} if process.status else {}
    return {**info, **said, "started": info.get("create_time"), "wid": process.wid}


async def _extended(watcher: WatcherPort, info: Any) -> Any:
    return await watcher.extended_stats(info) if isinstance(info, dict) else info
