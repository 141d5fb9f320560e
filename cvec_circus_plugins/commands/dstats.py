"""The command dstats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, Request
from cvec_circus_plugins.commands._lines import info_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Supervisor, Table


class Dstats(Command):
    """Show what the daemon itself uses of the machine.

    Request::

        {"command": "dstats"}

    The reply has the same keys as stats for a process::

        {"status": "ok", "time": 1332265655.9,
         "info": {"pid": 4700, "cmdline": "circusd", "username": "root", "nice": 0,
                  "mem_info1": "21.40M", "mem_info2": "40.32M", "cpu": 0.0, "mem": 0.1,
                  "ctime": "0:00.41", "children": []}}

    Command line::

        circusctl dstats
    """

    name = "dstats"
    acts = False

    async def execute(self, supervisor: Supervisor, request: Request) -> dict[str, Any]:
        """Measure it."""
        return {"info": await supervisor.own_info()}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a title and a line."""
        return f"Main Process:\n    {info_line(reply['info'])}"

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row, and one for each of its children."""
        from cvec_circus_plugins.commands._tables import process_table

        info = reply["info"]
        if not isinstance(info, dict):
            return ()
        return (process_table({"circusd": {info.get("pid"): info}}),)
