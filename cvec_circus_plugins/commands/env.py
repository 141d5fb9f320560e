"""The command env."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import REQUIRED, Command, Request, prop

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import Supervisor


class EnvRequest(Request):
    """What env takes."""

    name: str = prop(REQUIRED, "watcher", positional=True, each=True, pattern=True)
    process: int = prop(1, "number of the process in the watcher (wid)", positional=True)


class Env(Command):
    """Show the environment that a new process of a watcher would get.

    It is computed from the daemon's own environment, env, env_file, copy_env and related options.

    Request::

        {"command": "env", "properties": {"name": "web", "process": 1}}

    The reply has the variables::

        {"status": "ok", "time": 1332265655.9, "env": {"PATH": "/usr/bin:/bin"}}

    Command line::

        circusctl env NAME... [PROCESS]
    """

    name = "env"
    request = EnvRequest
    acts = False
    prompt = True

    async def execute(self, supervisor: Supervisor, request: EnvRequest) -> dict[str, Any]:
        """Work it out."""
        if request.process < 1:
            raise api.BadMessage(f"'process' isn't the number of a process: {request.process}")
        variables = supervisor.watcher(request.name).environment(request.process)
        return {"env": {key: variables[key] for key in sorted(variables)}}

    def show(self, reply: Mapping[str, Any]) -> str:
        """Show a line per variable."""
        return "\n".join(f"{key}={value}" for key, value in reply["env"].items())
