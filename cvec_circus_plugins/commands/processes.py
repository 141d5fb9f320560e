"""The command processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, Request, Table, prop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Supervisor


class ProcessesRequest(Request):
    """What processes takes."""

    since: int | None = prop(None, "tell nothing if nothing has changed since then", hidden=True)


class Processes(Command):
    """List the processes of all watchers.

    Request::

        {"command": "processes"}

    The reply has their numbers in the watcher by watcher and pid, the pid of the daemon itself, and
    a number that grows with each event::

        {"status": "ok", "time": 1332265655.9, "changes": 57, "daemon": 4700,
         "watchers": {"web": {"4711": 1, "4712": 2}}}

    To ask repeatedly, pass this number as `since`: if nothing has changed, the reply has only
    `changes`.

    Command line::

        circusctl processes
    """

    name = "processes"
    request = ProcessesRequest
    acts = False
    nothing = "no watchers yet: circusctl add NAME CMD..."

    async def execute(self, supervisor: Supervisor, request: ProcessesRequest) -> dict[str, Any]:
        """Look at them."""
        changes = supervisor.changes
        if request.since == changes:
            return {"changes": changes}
        watchers = {
            watcher.name: {str(process.pid): process.wid for process in watcher.view().processes}
            for watcher in supervisor.watchers()
        }
        return {"changes": changes, "daemon": supervisor.pid, "watchers": watchers}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per watcher."""
        watchers = reply.get("watchers", {})
        return "\n".join(f"{name}: {','.join(watchers[name])}" for name in sorted(watchers))

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row per process."""
        if not reply.get("watchers"):
            return ()
        rows: list[Sequence[str]] = []
        for name, processes in sorted(reply["watchers"].items()):
            rows.extend((name, str(wid), pid) for pid, wid in processes.items())
            if not processes:
                rows.append((name,))
        return (Table(("NAME", "WID", "PID"), rows, ("WID", "PID")),)
