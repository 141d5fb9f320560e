"""What handlers of pages have in common: which daemon is meant, and asking it for a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from cvec_circus_core.api import BadMessage, CallError
from cvec_circus_plugins.httpd.console import UnknownDaemon, console_of, session_of
from cvec_circus_plugins.httpd.daemon_link import PATIENCE
from cvec_circus_plugins.httpd.daemon_model import DaemonModel
from cvec_circus_plugins.httpd.forms import form_of
from cvec_circus_plugins.httpd.handlers import carries_word

WELL = ("active", "stopped", "completed", "waiting")


def daemon_of(request: Request) -> DaemonModel:
    """Return the daemon that a page is about, by its path or its query; else the first one."""
    key = request.path_params.get("daemon") or request.query_params.get("daemon")
    try:
        return console_of(request).daemon(key)
    except UnknownDaemon:
        raise HTTPException(404, "no such daemon") from None


def all_daemons(request: Request) -> list[dict[str, Any]]:
    """Return what is known of all daemons."""
    return [daemon.snapshot() for daemon in console_of(request).daemons.values()]


async def ask(
    request: Request, daemon: DaemonModel, command: str, properties: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the daemon's reply to the person of the session; an error where none came."""
    session = session_of(request)
    assert session is not None
    if not daemon.connected:
        return {"status": "error", "reason": daemon.reason}
    try:
        return await daemon.ask(command, properties, session.person, PATIENCE)
    except CallError as error:
        return {"status": "error", "reason": str(error)}


async def operator_form(request: Request) -> dict[str, str]:
    """Return the fields of a form by which somebody acts.

    Raises HTTPException where they may not, or the form is none of ours.
    """
    session = session_of(request)
    assert session is not None
    try:
        form = await form_of(request)
    except BadMessage as error:
        raise HTTPException(400, str(error)) from None
    if not carries_word(request, session, form.get("csrf")):
        raise HTTPException(403, "the form does not carry the word of its session")
    if not session.may_act:
        raise HTTPException(403, "a viewer changes nothing")
    return form


def fields(form: Mapping[str, str]) -> Mapping[str, str]:
    """Return what stands in the fields of a form; nothing in those that were not sent."""
    return defaultdict(str, form)


def totals_of(daemon: Mapping[str, Any]) -> dict[str, float]:
    """Return how many watchers are well, how many processes run of those wanted, what they use."""
    watchers, sums = daemon["watchers"], daemon["usage"].values()
    return {
        "cpu": sum(_number(numbers.get("cpu_sum")) for numbers in sums),
        "rss": sum(_number(numbers.get("rss")) for numbers in sums),
        "well": sum(map(is_well, watchers.values())),
        "running": sum(state["running"] for state in watchers.values()),
        "wanted": sum(state["wanted"] for state in watchers.values()),
    }


def is_well(state: Mapping[str, Any]) -> bool:
    """Tell whether nothing is wrong with a watcher."""
    is_right = not state["reason"] or state["shown"] == "waiting"
    return state["shown"] in WELL and is_right and state["retry_in"] is None


def _number(value: object) -> float:
    # What may not be read is told as a text.
    return value if isinstance(value, int | float) else 0.0
