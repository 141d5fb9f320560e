"""The command dstats."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Command, Request, Table
from cvec_circus_plugins.commands._lines import info_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Supervisor


class Dstats(Command):
    """Show what the daemon itself uses of the machine.

    Request::

        {"command": "dstats"}

    The reply has the same keys as stats for a process::

        {"status": "ok", "time": 1332265655.9,
         "info": {"pid": 4700, "cmdline": "circusd", "username": "root", "nice": 0,
                  "mem_info1": "21.40M", "mem_info2": "40.32M", "cpu": 0.0, "mem": 0.1,
                  "ctime": "0:00.41", "children": []},
         "daemon": {"pid": 4701, "version": "0.1.0", "python": "/srv/circus/bin/python",
                    "since": 1332265600.1, "starts": 2, "last_end": "was ended by SIGKILL",
                    "ends": [[1332265600.0, "was ended by SIGKILL"]], "upgrade": {},
                    "keeper": {"pid": 4700, "version": "0.1.0",
                               "python": "/srv/circus/bin/python", "since": 1332265500.0}}}

    `daemon` tells of the processes that circusd is made of. With `keeper = True` those are two, and
    `starts` says how often the brain was started, `ends` when and why it had to be started again.

    Command line::

        circusctl dstats
    """

    name = "dstats"
    acts = False

    async def execute(self, supervisor: Supervisor, request: Request) -> dict[str, Any]:
        """Measure it."""
        facts = supervisor.daemon_facts()
        return {"info": await supervisor.own_info(), **({"daemon": facts} if facts else {})}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a title and a line."""
        lines = ["Main Process:", f"    {info_line(reply['info'])}", *_fact_lines(reply)]
        return "\n".join(lines)

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row, and one for each of its children."""
        from cvec_circus_plugins.commands._tables import process_table

        info = reply["info"]
        if not isinstance(info, dict):
            return ()
        facts = [(line,) for line in _fact_lines(reply)]
        table = process_table({"circusd": {info.get("pid"): info}})
        return (table, Table(("DAEMON",), facts)) if facts else (table,)


def _fact_lines(reply: Mapping[str, Any]) -> list[str]:
    """Return lines about a daemon with a keeper, and why the brain was started anew."""
    facts = reply.get("daemon")
    keeper = facts.get("keeper") if isinstance(facts, dict) else None
    if not isinstance(facts, dict) or not isinstance(keeper, dict):
        return []
    lines = [_process_line("brain", facts), _process_line("keeper", keeper)]
    lines.append(f"brain started anew: {max(0, (facts.get('starts') or 1) - 1)} times")
    lines.extend(f"    {_when(at)} the brain {end}" for at, end in facts.get("ends") or ())
    if upgrade := facts.get("upgrade"):
        lines.append(f"last upgrade, to {upgrade.get('python')}: {upgrade.get('outcome')}")
    return lines


def _process_line(title: str, facts: Mapping[str, Any]) -> str:
    since = _when(facts.get("since"))
    return f"{title}: pid {facts.get('pid')}, version {facts.get('version')}, since {since}"


def _when(at: object) -> str:
    return f"{datetime.fromtimestamp(at):%Y-%m-%d %H:%M:%S}" if isinstance(at, float) else "?"
