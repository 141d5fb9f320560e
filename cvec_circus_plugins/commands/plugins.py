"""The command plugins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Extension, Supervisor

OF_PLUGINS = "plugin:"


class PluginsRequest(Request):
    """What plugins takes."""

    group: str | None = prop(
        None, "only this group, such as 'commands' or 'streams'", positional=True
    )


class Plugins(Command):
    """Tell which plugins run, and what installed packages bring.

    Request::

        {"command": "plugins", "properties": {"group": "commands"}}

    The reply has the plugins that are `running`, and under `installed` everything that packages
    bring for us, with the distribution it comes from. A thing is loaded, or only installed because
    nothing has named it so far, or it has failed for a reason::

        {"status": "ok", "time": 1332265655.9,
         "running": [{"name": "flapping", "use": "flapping", "host": "thread",
                      "state": "running", "reason": null}],
         "installed": [{"group": "commands", "name": "uptime", "value": "circus_uptime:Uptime",
                        "distribution": "circus-uptime", "version": "1.0", "state": "failed",
                        "reason": "ModuleNotFoundError: No module named 'clock'"}]}

    Command line::

        circusctl plugins [GROUP]
    """

    name = "plugins"
    request = PluginsRequest
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: PluginsRequest) -> dict[str, Any]:
        """Look around, off the loop: it reads the metadata of every package."""
        found = await asyncio.to_thread(api.extensions)
        chosen = [one for one in found if request.group in (None, one.group)]
        if request.group is not None and not chosen:
            groups = ", ".join(sorted({one.group for one in found}))
            raise api.BadMessage(f"no group is named {request.group!r}; there are {groups}")
        running = [
            {
                "name": plugin.name,
                "use": plugin.use,
                "host": plugin.host,
                "state": plugin.state,
                "reason": plugin.reason,
            }
            for plugin in supervisor.plugins()
        ]
        for watcher in supervisor.watchers():
            if watcher.name.startswith(OF_PLUGINS):
                view = watcher.view()
                running.append(
                    {
                        "name": watcher.name.removeprefix(OF_PLUGINS),
                        "use": watcher.spec.cmd.rpartition(" ")[2].strip("'"),
                        "host": "process",
                        "state": view.status.value,
                        "reason": view.health.reason,
                    }
                )
        return {"running": running, "installed": [_told(one) for one in chosen]}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per plugin that runs, then a line per thing."""
        lines = [
            _line(one["name"], one["use"], one["host"], one["state"], one["reason"])
            for one in reply["running"]
        ]
        for one in reply["installed"]:
            origin = f"{one['distribution']} {one['version']}"
            lines.append(_line(one["group"], one["name"], origin, one["state"], one["reason"]))
        return "\n".join(lines)


def _told(one: Extension) -> dict[str, Any]:
    return {
        "group": one.group,
        "name": one.name,
        "value": one.value,
        "distribution": one.distribution,
        "version": one.version,
        "state": one.state,
        "reason": one.reason,
    }


def _line(*cells: str | None) -> str:
    return "  ".join(cell for cell in cells if cell)
