"""The command signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop
from cvec_circus_plugins.commands._signals import checked_signal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cvec_circus_core.api import ProcessView, Supervisor


class SignalRequest(Request):
    """What signal takes."""

    name: str = prop(REQUIRED, "watcher", positional=True, pattern=True)
    pid: int | None = prop(
        None, "process; all of the watcher when not given", positional=True, names="process"
    )
    childpid: int | None = prop(None, "a direct child of that process instead", positional=True)
    signum: int | str = prop(
        REQUIRED, "number or name of the signal", positional=True, names="signal"
    )
    process: int | None = prop(None, "the process by its number in the watcher (wid), or by pid")
    child_pid: int | None = prop(None, "another name of childpid", hidden=True)
    children: bool = prop(False, "the direct children instead of the processes")
    recursive: bool = prop(False, "the processes and all that descend from them")


def _selection(request: SignalRequest, processes: Sequence[ProcessView]) -> api.SignalSelection:
    """Return which processes are meant, also in the oldest form: `process`, and its child `pid`."""
    wids, pids = {each.wid for each in processes}, {each.pid for each in processes}
    pid, wid = request.pid, request.process
    child = request.childpid if request.child_pid is None else request.child_pid
    if wid is not None and pid is not None and child is None:
        pid, child = None, pid
    if wid is not None and wid not in wids and wid in pids and pid is None:
        pid, wid = wid, None
    elif child is not None and wid is None and pid not in pids and pid in wids:
        pid, wid = None, pid
    return api.SignalSelection(pid, wid, child, request.children, request.recursive)


class Signal(Command):
    """Send a signal to the processes of a watcher, to one of them, or to their children.

    Nothing else is done: a process that ends because of it is replaced like any other. The
    signal is a number or a name, with or without SIG, such as HUP or SIGRTMIN+1. A process is
    named by its `pid`, or by its number in the watcher as `process`.

    Request::

        {"command": "signal", "properties": {"name": "web", "pid": 4711, "signum": "HUP"}}

    `children` sends it to the direct children instead, `recursive` to the process and everything
    below it, `childpid` to one child of the process. The oldest form is understood, too, in which
    `process` is a process and `pid` its child. The reply is ok::

        {"status": "ok", "time": 1332265655.9}

    Command line::

        circusctl signal NAME [PID [CHILDPID]] SIGNUM [--process WID] [--children] [--recursive]
    """

    name = "signal"
    request = SignalRequest

    async def execute(self, supervisor: Supervisor, request: SignalRequest) -> dict[str, Any]:
        """Send it."""
        signum = checked_signal(request.signum)
        watcher = supervisor.watcher(request.name)
        target = _selection(request, watcher.view().processes)
        if target.pid is not None and target.wid is not None:
            raise api.BadMessage("give 'pid' or 'process', not both")
        if target.childpid is not None and target.pid is None and target.wid is None:
            raise api.BadMessage("'childpid' needs 'pid' or 'process'")
        await watcher.signal(signum, target)
        return {}
