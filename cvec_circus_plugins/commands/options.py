"""The command options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cvec_circus_core.api import REQUIRED, Command, Request, prop
from cvec_circus_plugins.commands._lines import option_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import Supervisor, Table


class OptionsRequest(Request):
    """What options takes."""

    name: str = prop(REQUIRED, "watcher", positional=True, each=True, pattern=True)
    as_set: bool = prop(False, "env and working_dir as they were set, not as a process gets them")


class Options(Command):
    """Show all options of a watcher.

    Free-form options of its section are included. ``env`` and ``working_dir`` are what a process
    gets; with ``as_set`` they are what was set.

    Request::

        {"command": "options", "properties": {"name": "web"}}

    The reply has them by key::

        {"status": "ok", "time": 1332265655.9, "options": {"cmd": "web", "numprocesses": 3}}

    Command line::

        circusctl options NAME... [--as-set]
    """

    name = "options"
    request = OptionsRequest
    other_names: ClassVar[Mapping[str, str]] = {
        "describe": "options NAME",
        "show": "options NAME",
        "info": "options NAME",
    }
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: OptionsRequest) -> dict[str, Any]:
        """Look them up."""
        options = supervisor.watcher(request.name).options(as_set=request.as_set)
        return {"options": {key: options[key] for key in sorted(options)}}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per option."""
        return option_lines(reply["options"])

    def tables(self, reply: Mapping[str, Any]) -> Sequence[Table]:
        """Show a row per option."""
        from cvec_circus_plugins.commands._tables import option_tables

        return option_tables(reply.get("options"))
