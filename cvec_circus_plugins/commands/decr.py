"""The command decr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_plugins.commands._resize import ResizeRequest, resized, show_number
from cvec_circus_plugins.commands._wishes import WishCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class Decr(WishCommand):
    """Remove processes from a watcher.

    One is removed, or `nb`, but never more than there are. A singleton stays as it is.

    Request::

        {"command": "decr", "properties": {"name": "web", "nb": 1, "waiting": false}}

    The reply has the number of processes that are wanted now::

        {"status": "ok", "time": 1332265655.9, "numprocesses": 2}

    Command line::

        circusctl decr NAME [NB] [--waiting]
    """

    name = "decr"
    request = ResizeRequest

    async def execute(self, supervisor: Supervisor, request: ResizeRequest) -> dict[str, Any]:
        """Change the number, and wait if asked to."""
        return await resized(supervisor, request, -1)

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show the new number."""
        return show_number(reply)
