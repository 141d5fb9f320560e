"""The command kill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, prop
from cvec_circus_plugins.commands._signals import checked_signal
from cvec_circus_plugins.commands._wishes import WishRequest

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor


class KillRequest(WishRequest):
    """What kill takes."""

    name: str = prop(REQUIRED, "watcher", positional=True)
    pid: int | None = prop(None, "process; all of the watcher when not given", positional=True)
    signum: int | str | None = prop(None, "signal to send instead of the watcher's stop signal")
    graceful_timeout: float | None = prop(
        None, "seconds until SIGKILL, instead of the watcher's own"
    )


class Kill(Command):
    """Stop one process of a watcher, or all; the watcher replaces them.

    A process gets the signal, and SIGKILL when the graceful timeout is over.

    Request::

        {"command": "kill",
         "properties": {"name": "web", "pid": 4711, "signum": "TERM", "graceful_timeout": 5}}

    The reply is ok; when it was asked to wait, it comes when the processes are gone::

        {"status": "ok", "time": 1332265655.9}

    Command line::

        circusctl kill NAME [PID] [--signum SIGNUM] [--graceful_timeout SECONDS] [--waiting]
    """

    name = "kill"
    request = KillRequest

    async def execute(self, supervisor: Supervisor, request: KillRequest) -> dict[str, Any]:
        """Stop them, and wait if asked to."""
        signum = None if request.signum is None else checked_signal(request.signum)
        if request.graceful_timeout is not None and not request.graceful_timeout >= 0:
            raise api.BadMessage(
                f"'graceful_timeout' isn't a number of seconds: {request.graceful_timeout}"
            )
        watcher = supervisor.watcher(request.name)
        ticket = watcher.kill(request.pid, signum, request.graceful_timeout)
        if request.waiting:
            await ticket
        return {}
