"""The command announce."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor

EVENT = re.compile(r"[a-z][a-z0-9_]{0,63}")


class AnnounceRequest(Request):
    """What announce takes."""

    name: str = prop(REQUIRED, "watcher")
    event: str = prop(REQUIRED, "name of the event, such as 'deployed'")
    body: dict[str, Any] = prop({}, "what the event says beside time and watcher")


class AnnounceLine(Request):
    """What announce takes on the command line."""

    name: str = prop(REQUIRED, "watcher", positional=True, names="watcher")
    event: str = prop(REQUIRED, "name of the event, such as 'deployed'", positional=True)
    pairs: list[str] = prop(
        (), "what the event says", positional=True, many=True, metavar="KEY=VALUE"
    )


class Announce(Command):
    """Publish an event about a watcher.

    Subscribers receive it as `watcher.NAME.EVENT`, with the time, the watcher's name and a
    number like every other event. The names of the daemon's own events are refused.

    Request::

        {"command": "announce",
         "properties": {"name": "web", "event": "deployed", "body": {"version": "1.2"}}}

    The reply is ok::

        {"status": "ok", "time": 1332265655.9}

    Command line::

        circusctl announce NAME EVENT [KEY=VALUE]...
    """

    name = "announce"
    request = AnnounceRequest
    command_line = AnnounceLine

    async def execute(self, supervisor: Supervisor, request: AnnounceRequest) -> dict[str, Any]:
        """Tell the bus."""
        watcher = supervisor.watcher(request.name)
        if not EVENT.fullmatch(request.event):
            raise api.BadMessage("'event' must be a word of lower-case letters, digits and _")
        if request.event in api.own_events():
            raise api.BadMessage(f"{request.event!r} is an event of the daemon itself")
        watcher.announce(request.event, request.body)
        return {}

    def compose(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Read keys and values."""
        body = {}
        for word in arguments.get("pairs", ()):
            key, equals, value = word.partition("=")
            if not equals or not key:
                raise ValueError(f"{word!r} is not KEY=VALUE")
            body[key] = value
        return {"name": arguments["name"], "event": arguments["event"], "body": body}
