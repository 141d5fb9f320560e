"""What an act says to the daemon, and what is told of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus_cli.top.view import Act
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Callable

    from cvec_circus_core.api import CircusClient


def do(act: Act, connect: Callable[[], CircusClient]) -> str:
    """Send the request and return one line about what came of it."""
    try:
        with connect() as client:
            return result_text(act, client.send_message(act.command, **dict(act.properties)))
    except api.CallError as error:
        return f"{act.text}: {error}"


def result_text(act: Act, reply: Mapping[str, Any]) -> str:
    """Return what a reply says of an act."""
    if reply.get("status") == "error":
        return f"{act.text}: refused, {reply.get('reason') or 'the daemon gave no reason'}"
    count = reply.get("numprocesses")
    if reply.get("singleton"):
        return f"{act.text}: it is a singleton and stays as it is"
    if isinstance(count, int):
        return f"{act.text}: done, {count} are wanted now"
    return f"{act.text}: done"
