"""The command kill."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, prop
from cvec_circus_plugins.commands._signals import checked_signal
from cvec_circus_plugins.commands._wishes import WishCommand, WishRequest, all_done

if TYPE_CHECKING:
    from collections.abc import Callable

    from cvec_circus_core.api import Supervisor

Number = TypeVar("Number", int, float)

_NO_GRACE = "'graceful_timeout' isn't a number of seconds"


class KillRequest(WishRequest):
    """What kill takes. The circusctl of Circus 0.19 sends numbers as texts."""

    name: str = prop(REQUIRED, "watcher")
    pid: int | str | None = prop(None, "process; all of the watcher when not given")
    signum: int | str | None = prop(None, "signal to send instead of the watcher's stop signal")
    graceful_timeout: float | str | None = prop(
        None, "seconds until SIGKILL, instead of the watcher's own"
    )


class KillLine(WishRequest):
    """What kill takes on the command line."""

    name: str = prop(REQUIRED, "watcher", positional=True, pattern=True)
    pid: int | None = prop(
        None, "process; all of the watcher when not given", positional=True, names="process"
    )
    signum: int | str | None = prop(
        None, "signal to send instead of the watcher's stop signal", names="signal"
    )
    graceful_timeout: float | None = prop(
        None, "seconds until SIGKILL, instead of the watcher's own"
    )


class Kill(WishCommand):
    """Stop one process of a watcher, or all; the watcher replaces them.

    A process gets the signal, and SIGKILL when its graceful timeout is over.

    Request::

        {"command": "kill",
         "properties": {"name": "web", "pid": 4711, "signum": "TERM", "graceful_timeout": 5}}

    The reply is ok; with `waiting`, it comes when the processes have ended::

        {"status": "ok", "time": 1332265655.9}

    Command line::

        circusctl kill NAME [PID] [--signum SIGNUM] [--graceful_timeout SECONDS] [--waiting]
    """

    name = "kill"
    request = KillRequest
    command_line = KillLine

    async def execute(self, supervisor: Supervisor, request: KillRequest) -> dict[str, Any]:
        """Stop them, and wait if asked to."""
        signum = None if request.signum is None else checked_signal(request.signum)
        pid = _number(request.pid, int, "'pid' isn't a number")
        grace = _number(request.graceful_timeout, float, _NO_GRACE)
        if grace is not None and not 0 <= grace < inf:
            raise api.BadMessage(f"{_NO_GRACE}: {grace}")
        ticket = supervisor.watcher(request.name).kill(pid, signum, grace)
        if request.waiting:
            await all_done(supervisor, [ticket])
        return {}


def _number(
    value: float | str | None, kind: Callable[[float | str], Number], complaint: str
) -> Number | None:
    try:
        return None if value is None else kind(value)
    except ValueError:
        raise api.BadMessage(f"{complaint}: {value!r}") from None
