"""The command numwatchers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class NumWatchers(Command):
    """Show how many watchers there are.

    Request::

        {"command": "numwatchers"}

    The reply has the number::

        {"status": "ok", "time": 1332265655.9, "numwatchers": 3}

    Command line::

        circusctl numwatchers
    """

    name = "numwatchers"
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: Request) -> dict[str, Any]:
        """Count them."""
        return {"numwatchers": len(supervisor.watchers())}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show the number."""
        return str(reply["numwatchers"])
