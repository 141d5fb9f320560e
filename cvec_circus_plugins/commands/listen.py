"""The command listen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, prop

if TYPE_CHECKING:
    from cvec_circus_core.api import Supervisor


class ListenLine(Request):
    """What listen takes on the command line."""

    topics: list[str] = prop(
        (), "beginning of a topic, or an endpoint", positional=True, many=True, metavar="TOPIC"
    )


class Listen(Command):
    """Print events as they happen, until interrupted.

    Events are published on an endpoint of their own, tcp://127.0.0.1:5556 when nothing else is
    said, as two frames: the topic `watcher.NAME.EVENT`, and a JSON object. Events are spawn, reap,
    kill, start, stop, add, remove, updated, reload, hook_success and hook_failure. Without a topic
    all are printed; an argument with :// in it is the endpoint.

    There is no request: the control endpoint answers it with an error. Command line::

        circusctl listen [ENDPOINT] [TOPIC...]

    A line per event::

        watcher.web.spawn: {"process_id": 1, "process_pid": 4711, "time": 1332265655.9}
    """

    name = "listen"
    command_line = ListenLine
    acts = False

    async def execute(self, supervisor: Supervisor, request: Request) -> dict[str, Any]:
        """Refuse: events are subscribed to, not asked for."""
        raise api.BadMessage("invalid message. use a pub/sub socket")
