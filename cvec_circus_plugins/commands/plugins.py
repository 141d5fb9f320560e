"""The command plugins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Command, Request, Table, prop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Extension, Supervisor

OF_PLUGINS = "plugin:"


class PluginsRequest(Request):
    """What plugins takes."""

    group: str | None = prop(
        None, "only this group, such as 'commands' or 'streams'", positional=True
    )


class Plugins(Command):
    """Show which plugins run, and what installed packages bring.

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
        extensions = await asyncio.to_thread(api.extensions)
        chosen = [extension for extension in extensions if request.group in (None, extension.group)]
        if request.group is not None and not chosen:
            groups = ", ".join(sorted({extension.group for extension in extensions}))
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
        return {
            "running": running,
            "installed": [_extension_object(extension) for extension in chosen],
        }

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per plugin that runs, then a line per thing."""
        lines = [_line(*(plugin[key] for key in _RUNNING)) for plugin in reply["running"]]
        for extension in reply["installed"]:
            origin = f"{extension['distribution']} {extension['version']}"
            group, name = extension["group"], extension["name"]
            lines.append(_line(group, name, origin, extension["state"], extension["reason"]))
        return "\n".join(lines)

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show the plugins that run, then what is installed."""
        from cvec_circus_plugins.commands._tables import cell

        running = [[cell(plugin[key]) for key in _RUNNING] for plugin in reply["running"]]
        installed = [
            [cell(extension[key]) for key in _INSTALLED] for extension in reply["installed"]
        ]
        tables = (
            Table(("RUNNING", "USE", "HOST", "STATE", "REASON"), running),
            Table(("GROUP", "NAME", "DISTRIBUTION", "VERSION", "STATE", "REASON"), installed),
        )
        return [table for table in tables if table.rows]


_RUNNING = ("name", "use", "host", "state", "reason")
_INSTALLED = ("group", "name", "distribution", "version", "state", "reason")


def _extension_object(extension: Extension) -> dict[str, Any]:
    return {
        "group": extension.group,
        "name": extension.name,
        "value": extension.value,
        "distribution": extension.distribution,
        "version": extension.version,
        "state": extension.state,
        "reason": extension.reason,
    }


def _line(*cells: str | None) -> str:
    return "  ".join(cell for cell in cells if cell)
