"""The command list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core.api import Command, Request, Table, prop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Supervisor


class ListRequest(Request):
    """What list takes."""

    name: str | None = prop(
        None, "watcher whose processes are listed", positional=True, each=True, pattern=True
    )


class List(Command):
    """List the watchers, or the processes of one.

    Request::

        {"command": "list"}
        {"command": "list", "properties": {"name": "web"}}

    The reply has the names of all watchers. With a name it has the pids of the processes, and under
    `processes` their numbers in the watcher, in the same order::

        {"status": "ok", "time": 1332265655.9, "watchers": ["db", "web"]}
        {"status": "ok", "time": 1332265655.9, "pids": [4711, 4712], "processes": [1, 2]}

    Command line::

        circusctl list [NAME...]
    """

    name = "list"
    request = ListRequest
    other_names: ClassVar[Mapping[str, str]] = {
        "ls": "list",
        "pid": "list NAME",
    }
    acts = False
    prompt = True
    nothing = "no watchers yet: circusctl add NAME CMD..."

    async def execute(self, supervisor: Supervisor, request: ListRequest) -> dict[str, Any]:
        """Look at them."""
        if request.name is None:
            return {"watchers": [watcher.name for watcher in supervisor.watchers()]}
        processes = supervisor.watcher(request.name).view().processes
        return {
            "pids": [process.pid for process in processes],
            "processes": [process.wid for process in processes],
        }

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show one line, with commas."""
        return ",".join(map(str, reply["pids" if "pids" in reply else "watchers"]))

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row per watcher, or per process."""
        if "pids" in reply and "processes" in reply:
            pairs = zip(reply["processes"], reply["pids"], strict=True)
            rows = [(str(wid), str(pid)) for wid, pid in pairs]
            return (Table(("WID", "PID"), rows, ("WID", "PID")),)
        if reply.get("watchers"):
            return (Table(("NAME",), [(name,) for name in reply["watchers"]]),)
        return ()
