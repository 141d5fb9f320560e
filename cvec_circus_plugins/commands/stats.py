"""The command stats."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, prop
from cvec_circus_plugins.commands._lines import process_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cvec_circus_core.api import JsonValue, ProcessView, Supervisor, Table, WatcherPort

GONE = "No such process (stopped?)"
_HOOKS_AT_ONCE = 8


class StatsRequest(Request):
    """What stats takes."""

    name: str | None = prop(
        None, "watcher; all when not given", positional=True, each=True, pattern=True
    )
    process: int | None = prop(
        None,
        "pid of one process, or its number in the watcher",
        positional=True,
        metavar="PID",
        names="process",
    )
    extended: bool = prop(False, "add what the watcher's extended_stats hook knows")
    pss: bool = prop(False, "add memory with shared parts counted in parts; takes long")


class Stats(Command):
    """Show what processes use of the machine.

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
                  "age": 55.8, "rss": 3145728, "vms": 2147483648, "cpu_time": 0.41,
                  "threads": 4, "fds": 12, "state": "sleeping",
                  "children_cpu": 0.0, "children_rss": 0, "children": []}}

    Sizes are bytes, where they are numbers; `children` are all living children with theirs, and
    `children_cpu` and `children_rss` the sums of all of them. With `pss` there is a key `pss`.
    Processor shares are those since the last time somebody asked. What may not be read is N/A.
    Where a package brings more numbers (``circus_extra_stats``), they stand in `extra`.

    Command line::

        circusctl stats [NAME...] [PID] [--extended] [--pss]
    """

    name = "stats"
    request = StatsRequest
    acts = False
    over_hosts = "at once"
    nothing = "no watchers yet: circusctl add NAME CMD..."

    async def execute(self, supervisor: Supervisor, request: StatsRequest) -> dict[str, Any]:
        """Measure them, all in one look at the process table."""
        if request.name is None:
            if request.process is not None:
                raise api.BadMessage("'process' needs 'name'")
            chosen = [(watcher, watcher.view().processes) for watcher in supervisor.watchers()]
            infos = await _measured(supervisor, chosen, request)
            return {"infos": {watcher.name: infos[watcher.name] for watcher, _ in chosen}}
        watcher = supervisor.watcher(request.name)
        processes = watcher.view().processes
        if request.process is not None:
            processes = (_process(watcher, processes, request.process),)
        infos = (await _measured(supervisor, [(watcher, processes)], request))[watcher.name]
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

    def show_among(self, name: str, reply: Mapping[str, Any]) -> str:
        """Show the same; only one process has no heading of its own."""
        return super().show_among(name, reply) if "process" in reply else self.show(reply)

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row per process, its children below it."""
        from cvec_circus_plugins.commands._tables import process_table

        if "infos" in reply:
            return (process_table(reply["infos"]),) if reply["infos"] else ()
        return (process_table({reply.get("name", ""): _infos(reply)}),)

    def joined(self, replies: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        """Put the processes of all into one table."""
        return {"infos": {name: _infos(reply) for name, reply in replies.items()}}


def _infos(reply: Mapping[str, Any]) -> Mapping[Any, JsonValue]:
    infos: Mapping[Any, JsonValue] = reply["info"]
    return {reply["process"]: infos} if "process" in reply else infos


async def _measured(
    supervisor: Supervisor,
    chosen: Sequence[tuple[WatcherPort, Sequence[ProcessView]]],
    request: StatsRequest,
) -> dict[str, dict[str, Any]]:
    """Return info objects by watcher and pid, with all that was asked for."""
    subjects = [
        api.StatsSubject(watcher.name, process.wid, process.pid)
        for watcher, processes in chosen
        for process in processes
    ]
    # Others' numbers are looked for while the process table is read.
    measured, extras = await asyncio.gather(
        supervisor.process_info([subject.pid for subject in subjects], pss=request.pss),
        supervisor.extra_stats(subjects),
    )
    infos: dict[str, dict[str, Any]] = {}
    for watcher, processes in chosen:
        own = {
            str(process.pid): _completed(
                process, measured.get(process.pid), extras.get(process.pid)
            )
            for process in processes
        }
        infos[watcher.name] = await _extended(watcher, own) if request.extended else own
    return infos


def _process(watcher: WatcherPort, processes: Iterable[ProcessView], number: int) -> ProcessView:
    # Older clients name a process by its number in the watcher. Pids go first.
    for process in processes:
        if process.pid == number:
            return process
    for process in processes:
        if process.wid == number:
            return process
    raise api.UnknownProcess(number, watcher.name)


def _completed(process: ProcessView, info: JsonValue, extra: Mapping[str, Any] | None) -> JsonValue:
    if not isinstance(info, dict):
        return GONE if info is None else info
    own: dict[str, JsonValue] = {"status": process.status} if process.status else {}
    if extra:
        own["extra"] = extra
    return {**info, **own, "started": info.get("create_time"), "wid": process.wid}


async def _extended(watcher: WatcherPort, infos: Mapping[str, Any]) -> dict[str, Any]:
    """Let the watcher's hook see every info object, some at a time: one may hang for a while."""
    places = asyncio.Semaphore(_HOOKS_AT_ONCE)

    async def extend(info: JsonValue) -> JsonValue:
        if not isinstance(info, dict):
            return info
        async with places:
            extended: JsonValue = await watcher.extended_stats(info)
            return extended

    extended = await asyncio.gather(*(extend(info) for info in infos.values()))
    return dict(zip(infos, extended, strict=True))
