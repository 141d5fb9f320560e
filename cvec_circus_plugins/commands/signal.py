"""The command signal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop
from cvec_circus_plugins.commands._signals import checked_signal

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor


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
    process: int | None = prop(None, "the process by its number in the watcher (wid), not by pid")
    children: bool = prop(False, "the direct children instead of the processes")
    recursive: bool = prop(False, "the processes and all that descend from them")


class Signal(Command):
    """Send a signal to the processes of a watcher, to one of them, or to their children.

    Nothing else follows from it: a process that ends by it is replaced like any that ended. The
    signal is a number or a name, with or without SIG, such as HUP or SIGRTMIN+1. A process is
    named by its `pid`, or by its number in the watcher as `process`.

    Request::

        {"command": "signal", "properties": {"name": "web", "pid": 4711, "signum": "HUP"}}

    `children` sends it to the direct children instead, `recursive` to the process and everything
    below it, `childpid` to one child of the process. The reply is ok::

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
        if request.pid is not None and request.process is not None:
            raise api.BadMessage("give 'pid' or 'process', not both")
        if request.childpid is not None and request.pid is None and request.process is None:
            raise api.BadMessage("'childpid' needs 'pid' or 'process'")
        selection = api.SignalSelection(
            request.pid, request.process, request.childpid, request.children, request.recursive
        )
        await watcher.signal(signum, selection)
        return {}
