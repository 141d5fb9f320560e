"""Running a command of the daemon for a person: the one way by which pages and programs act.

What the command is called, takes and answers, and what its errors are, is the control channel's;
here an error's number becomes a status of HTTP. The daemon decides whether the person may.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from cvec_circus_core.api import BadMessage, CallError, Errno
from cvec_circus_plugins.httpd.console import UnknownDaemon, console_of, session_of
from cvec_circus_plugins.httpd.daemon_link import PATIENCE, TIMEOUT
from cvec_circus_plugins.httpd.daemon_model import DaemonModel
from cvec_circus_plugins.httpd.forms import object_of
from cvec_circus_plugins.httpd.handlers import carries_word, resource
from cvec_circus_plugins.httpd.responses import Json, problem
from cvec_circus_plugins.httpd.sessions import SessionInfo

NO_WORD = "the request does not carry the word of its session (X-CSRF-Token)"

STATUS_OF_ERRNO: Mapping[int, int] = {
    Errno.NOT_ALLOWED: 403,
    Errno.UNKNOWN_COMMAND: 404,
    Errno.OS_ERROR: 409,
    Errno.COMMAND_ERROR: 409,
    Errno.SERVER_ERROR: 500,
}
OTHER_ERRORS = 400


@resource
async def run_command(request: Request) -> Response:
    """Run the command that the path names, with the properties in the body."""
    console, session = console_of(request), session_of(request)
    assert session is not None
    name = request.path_params["command"]
    if name not in console.commands:
        return problem(404, f"no command is named {name}")
    # A command that only reads may still cost something: it needs the word all the same.
    if not carries_word(request, session):
        return problem(403, NO_WORD)
    try:
        daemon = console.daemon(request.query_params.get("daemon"))
        properties = await object_of(request)
    except UnknownDaemon:
        return problem(404, "no such daemon")
    except BadMessage as error:
        return problem(400, str(error))
    return await response_to(daemon, session, name, properties)


async def response_to(
    daemon: DaemonModel, session: SessionInfo, command: str, properties: Mapping[str, Any]
) -> Response:
    """Let a daemon run a command for the person of a session, and return its reply."""
    timeout = TIMEOUT if properties.get("waiting") else PATIENCE
    try:
        reply = await daemon.ask(command, properties, session.person, timeout)
    except CallError as error:
        return problem(504, str(error))
    return as_response(reply)


def as_response(reply: Mapping[str, Any]) -> Json:
    """Return a reply of the daemon as an answer of HTTP."""
    return Json({key: value for key, value in reply.items() if key != "id"}, status_of(reply))


def status_of(reply: Mapping[str, Any]) -> int:
    """Return the status of HTTP that a reply has."""
    if reply.get("status") != "error":
        return 200
    return STATUS_OF_ERRNO.get(reply.get("errno", 0), OTHER_ERRORS)
