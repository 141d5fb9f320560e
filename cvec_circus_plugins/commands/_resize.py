"""What incr and decr have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, prop
from cvec_circus_plugins.commands._wishes import WishRequest, all_done

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class ResizeRequest(WishRequest):
    """A watcher, and how many processes more or fewer."""

    name: str = prop(REQUIRED, "watcher", positional=True, pattern=True)
    nb: int = prop(1, "how many", positional=True)


async def resized(supervisor: Supervisor, request: ResizeRequest, sign: int) -> dict[str, Any]:
    """Add or remove processes; return the reply with the number wanted now."""
    if request.nb < 0:
        raise api.BadMessage(f"'nb' isn't a number of processes: {request.nb}")
    watcher = supervisor.watcher(request.name)
    if watcher.spec.singleton:
        return {"numprocesses": watcher.spec.numprocesses, "singleton": True}
    number = max(0, watcher.spec.numprocesses + sign * request.nb)
    ticket = watcher.resize(number)
    if request.waiting:
        await all_done(supervisor, [ticket])
    return {"numprocesses": number}


def show_number(reply: Mapping[str, Any]) -> str:
    """Return the new number, or why there is none."""
    number = reply.get("numprocesses", "ok")
    if reply.get("singleton"):
        return f"the watcher is a singleton: its number of processes stays {number}"
    return str(number)
