"""The pages of a daemon: events, audit, sockets, plugins, configuration; and which daemons."""

from __future__ import annotations

import logging
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from cvec_circus_core.api import BadMessage, CallError, listener_uid, quoted
from cvec_circus_plugins.httpd import statistics_switch
from cvec_circus_plugins.httpd.commands import NO_WORD, response_to
from cvec_circus_plugins.httpd.console import console_of, session_of
from cvec_circus_plugins.httpd.handlers import carries_word, page, resource
from cvec_circus_plugins.httpd.option_rows import read_texts
from cvec_circus_plugins.httpd.page_data import (
    all_daemons,
    ask,
    daemon_of,
    fields,
    operator_form,
)
from cvec_circus_plugins.httpd.responses import problem
from cvec_circus_plugins.httpd.settings import DaemonAddress

log = logging.getLogger(__name__)


@page
async def events(request: Request) -> Response:
    """Show what happened, newest first."""
    return _page(request, "events.html", entries=list(reversed(daemon_of(request).log.events)))


@page
async def audit(request: Request) -> Response:
    """Show who did what, newest first."""
    return _page(request, "audit.html", entries=list(reversed(daemon_of(request).log.audits)))


@page
async def sockets(request: Request) -> Response:
    """Show the managed sockets."""
    daemon = daemon_of(request)
    reply = await ask(request, daemon, "listsockets", {})
    rows = [
        {**row, **daemon.usage.sockets.get(str(row["fd"]), {})} for row in reply.get("sockets", ())
    ]
    return _page(request, "sockets.html", rows=rows, reason=reply.get("reason"))


@page
async def plugins(request: Request) -> Response:
    """Show which plugins run, and what installed packages bring."""
    reply = await ask(request, daemon_of(request), "plugins", {})
    return _page(request, "plugins.html", reply=reply)


@page
async def configuration(request: Request) -> Response:
    """Show what the daemon's configuration file would change."""
    return _page(request, "configuration.html")


@page
async def show_add(request: Request) -> Response:
    """Show the form of a new watcher."""
    return _page(request, "add.html", form=fields({"start": "yes"}), mistake=None)


@page
async def add(request: Request) -> Response:
    """Add a watcher."""
    form, daemon = await operator_form(request), daemon_of(request)
    name = form.get("name", "").strip()
    try:
        properties = {**_new_watcher(form), "name": name}
    except ValueError as error:
        return _page(request, "add.html", form=fields(form), mistake=str(error))
    session = session_of(request)
    assert session is not None
    reply = await ask(request, daemon, "add", properties)
    if reply.get("status") == "error":
        return _page(request, "add.html", form=fields(form), mistake=reply.get("reason"))
    try:
        await daemon.refresh()
    except CallError:
        return _to(request, "/")
    return _to(request, "/watchers/{}/processes/{}", daemon.key, name)


def _new_watcher(form: dict[str, str]) -> dict[str, Any]:
    """Return the properties of ``add``. Raises ValueError."""
    texts = {
        key: form[key].strip()
        for key in ("numprocesses", "working_dir", "uid", "priority")
        if form.get(key, "").strip()
    }
    for line in form.get("options", "").split("\n"):
        if line.strip():
            key, equals, text = line.partition("=")
            if not equals or not key.strip():
                raise ValueError(f"an option is given as KEY = VALUE, not {line.strip()!r}")
            texts[key.strip()] = text.strip()
    return {
        "cmd": form.get("cmd", "").strip(),
        "options": read_texts(texts),
        "start": "start" in form,
    }


@page
async def daemons(request: Request) -> Response:
    """Show which daemons the console is connected to."""
    await console_of(request).follow_daemons()
    return _daemons_page(request)


@page
async def connect(request: Request) -> Response:
    """Connect to one more daemon."""
    form, console = await operator_form(request), console_of(request)
    endpoint, pubsub_endpoint, ssh_server, keys = (form.get(key, "").strip() for key in _ADDRESS)
    address = DaemonAddress(
        endpoint=endpoint,
        pubsub_endpoint=pubsub_endpoint or None,
        ssh_server=ssh_server or None,
        keys=keys or None,
    )
    try:
        console.added.add(address)
    except BadMessage as error:
        return _daemons_page(request, form, str(error))
    log.info("person %s connects the console to %s", _person(request), quoted(endpoint))
    await console.follow_daemons()
    return _to(request, "/daemons")


_ADDRESS = ("endpoint", "pubsub_endpoint", "ssh_server", "keys")


@page
async def disconnect(request: Request) -> Response:
    """Forget a daemon."""
    await operator_form(request)
    daemon, console = daemon_of(request), console_of(request)
    if daemon.endpoint not in console.added.endpoints():
        raise HTTPException(409, "that daemon stands in the console's settings")
    console.added.remove(daemon.endpoint)
    log.info("person %s disconnects the console from %s", _person(request), daemon.endpoint)
    await console.follow_daemons()
    return _to(request, "/daemons")


@resource
async def statistics(request: Request) -> Response:
    """Turn statistics on."""
    session, daemon = session_of(request), daemon_of(request)
    assert session is not None
    if not carries_word(request, session):
        return problem(403, NO_WORD)
    reply = await ask(request, daemon, "globaloptions", {"keys": ["pubsub_endpoint"]})
    if "options" not in reply:
        return problem(504, str(reply.get("reason")))
    is_local = listener_uid(daemon.endpoint) is not None
    pubsub_endpoint = reply["options"]["pubsub_endpoint"]
    order = statistics_switch.order(daemon.endpoint, pubsub_endpoint, is_local=is_local)
    if statistics_switch.WATCHER in daemon.watchers:
        order = {"name": statistics_switch.WATCHER, "waiting": True}
        return await response_to(daemon, session, "start", order)
    return await response_to(daemon, session, "add", order)


def _person(request: Request) -> str:
    session = session_of(request)
    return quoted(session.person.name if session is not None else "?")


def _daemons_page(
    request: Request, form: dict[str, str] | None = None, mistake: str | None = None
) -> Response:
    console = console_of(request)
    added = console.added.endpoints()
    return console.templates.page(
        request,
        "daemons.html",
        400 if mistake else 200,
        daemons=all_daemons(request),
        added=added,
        form=fields(form or {}),
        mistake=mistake,
        section="/daemons",
    )


def _page(request: Request, template: str, **values: object) -> Response:
    daemon = daemon_of(request)
    status = 400 if values.get("mistake") else 200
    return console_of(request).templates.page(
        request, template, status, daemon=daemon.snapshot(), daemons=all_daemons(request), **values
    )


def _to(request: Request, path: str, *segments: str) -> Response:
    return RedirectResponse(console_of(request).templates.url(request, path, *segments), 303)


def routes() -> list[BaseRoute]:
    """Return the routes of a daemon's pages."""
    return [
        Route("/events", events),
        Route("/audit", audit),
        Route("/sockets", sockets),
        Route("/plugins", plugins),
        Route("/configuration", configuration),
        Route("/add", show_add, methods=["GET"]),
        Route("/add", add, methods=["POST"]),
        Route("/daemons", daemons, methods=["GET"]),
        Route("/daemons", connect, methods=["POST"]),
        Route("/daemons/{daemon}/forget", disconnect, methods=["POST"]),
        Route("/daemons/{daemon}/statistics", statistics, methods=["POST"]),
    ]
