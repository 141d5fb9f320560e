"""The pages of one watcher: its processes, output, options and events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cvec_circus_core.api import BadMessage, SystemProblem
from cvec_circus_plugins.commands._output_entries import bytes_of
from cvec_circus_plugins.httpd.commands import NO_WORD, response_to
from cvec_circus_plugins.httpd.console import console_of, session_of
from cvec_circus_plugins.httpd.daemon_model import DaemonModel
from cvec_circus_plugins.httpd.extension import Subject, extensions_of
from cvec_circus_plugins.httpd.foreign_text import shown_lines
from cvec_circus_plugins.httpd.forms import object_of
from cvec_circus_plugins.httpd.handlers import carries_word, page, resource
from cvec_circus_plugins.httpd.option_rows import option_rows, read_texts
from cvec_circus_plugins.httpd.output_files import (
    View,
    check_same_user,
    file_of,
    opened,
    read_older,
)
from cvec_circus_plugins.httpd.page_data import ask, daemon_of
from cvec_circus_plugins.httpd.responses import Json, problem

SIGNALS = ("HUP", "INT", "TERM", "QUIT", "KILL", "USR1", "USR2", "STOP", "CONT", "WINCH")
CHANNELS = ("stdout", "stderr")
_FIRST_LINES = 200
_ALL_LINES = 10_000
_CHUNK = 64 * 1024


@page
async def processes(request: Request) -> Response:
    """Show the processes of a watcher."""
    reply = await _ask_watcher(request, "stats", {})
    infos = [info for info in (reply.get("info") or {}).values() if isinstance(info, dict)]
    infos.sort(key=lambda info: info.get("wid") or 0)
    subject = Subject(request=request, daemon=daemon_of(request).key, watcher=_name(request))
    panels = await extensions_of(request).panels(subject)
    return _watcher_page(request, "processes", infos=infos, signals=SIGNALS, panels=panels)


@page
async def output(request: Request) -> Response:
    """Show what the processes of a watcher have written."""
    reply = await _ask_watcher(
        request, "tail", {"merged": True, "channel": "all", "lines": _FIRST_LINES}
    )
    lines = list(shown_lines(reply.get("merged", ())))
    options = await _ask_watcher(request, "options", {})
    files = {channel: file_of(options.get("options", {}), channel) for channel in CHANNELS}
    return _watcher_page(request, "output", lines=lines, files=files, silence=_why_silent(reply))


def _why_silent(reply: Mapping[str, Any]) -> str:
    if reply.get("status") == "error":
        return f"The output can not be shown: {reply['reason']}."
    return "; ".join(reply.get("not_shown", ())) or "Nothing was written yet."


@page
async def options(request: Request) -> Response:
    """Show the options of a watcher."""
    reply = await _ask_watcher(request, "options", {"as_set": True})
    rows = option_rows(reply["options"]) if "options" in reply else []
    return _watcher_page(request, "options", rows=rows, reason=reply.get("reason"))


@page
async def events(request: Request) -> Response:
    """Show what happened to a watcher."""
    daemon, name = daemon_of(request), _name(request)
    own = [
        event
        for event in (*daemon.log.events, *daemon.log.audits)
        if event["body"].get("watcher") == name
        or event["body"].get("properties", {}).get("name") == name
    ]
    own.sort(key=lambda event: event["body"].get("time", 0), reverse=True)
    return _watcher_page(request, "events", entries=own)


@resource
async def set_options(request: Request) -> Response:
    """Set options, given as texts."""
    session = session_of(request)
    assert session is not None
    if not carries_word(request, session):
        return problem(403, NO_WORD)
    try:
        texts = await object_of(request)
        values = read_texts({key: str(text) for key, text in texts.items()})
    except (BadMessage, ValueError) as error:
        return problem(400, str(error))
    properties = {"name": _name(request), "options": values, "waiting": True}
    return await response_to(daemon_of(request), session, "set", properties)


@resource
async def older(request: Request) -> Response:
    """Tell what a watcher wrote to its file before what is shown."""
    query = request.query_params
    channel = query.get("channel", "stdout")
    lines = query.get("skip", "0")
    view = View(int(lines) if lines.isdigit() else 0, query.get("first", ""))
    try:
        path = await _output_file(request, channel)
        piece = await asyncio.to_thread(read_older, path, query.get("cursor"), view)
    except BadMessage as error:
        return problem(409, str(error))
    return Json({"status": "ok", "lines": piece.lines, "file": piece.file, "cursor": piece.cursor})


@resource
async def download(request: Request) -> Response:
    """Send output as a file: what the daemon keeps, or what a stream has written."""
    channel = request.query_params.get("channel")
    if channel is not None:
        try:
            path = await _output_file(request, channel)
            body: AsyncIterator[bytes] = _contents(path)
            first = await anext(body, b"")
        except (BadMessage, OSError, SystemProblem) as error:
            return problem(409, str(error))
        return _attachment(request, _chain(first, body), channel)
    reply = await _ask_watcher(
        request, "tail", {"merged": True, "channel": "all", "lines": _ALL_LINES}
    )
    if "merged" not in reply:
        return problem(409, str(reply.get("reason")))
    text = b"".join(bytes_of(entry) for entry in reply["merged"])
    return _attachment(request, _chain(text), "output")


async def _output_file(request: Request, channel: str) -> str:
    """Return the file of a channel that may be read. Raises `BadMessage`."""
    if channel not in CHANNELS:
        raise BadMessage("'channel' isn't one of stdout, stderr")
    reply = await _ask_watcher(request, "options", {})
    if "options" not in reply:
        raise BadMessage(str(reply.get("reason")))
    path = file_of(reply["options"], channel)
    if path is None:
        raise BadMessage(f"{channel} of this watcher is written to no file; see FileStream")
    check_same_user(daemon_of(request).endpoint)
    return path


async def _contents(path: str) -> AsyncIterator[bytes]:
    with opened(path) as (file, size):
        while size > 0 and (data := await asyncio.to_thread(file.read, min(size, _CHUNK))):
            size -= len(data)
            yield data


async def _chain(first: bytes, rest: AsyncIterator[bytes] | None = None) -> AsyncIterator[bytes]:
    yield first
    if rest is not None:
        async for data in rest:
            yield data


def _attachment(request: Request, body: AsyncIterator[bytes], what: str) -> Response:
    name = quote(f"{_name(request)}-{what}.log", safe="")
    headers = {"content-disposition": f"attachment; filename*=utf-8''{name}"}
    return StreamingResponse(body, media_type="text/plain; charset=utf-8", headers=headers)


async def _ask_watcher(
    request: Request, command: str, properties: Mapping[str, Any]
) -> dict[str, Any]:
    return await ask(request, daemon_of(request), command, {"name": _name(request), **properties})


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    return name


def _watcher_page(request: Request, tab: str, **values: object) -> Response:
    daemon, name = daemon_of(request), _name(request)
    watcher = _known(daemon, name)
    snapshot = {
        **daemon.snapshot(),
        "usage": {name: daemon.usage.sums.get(name, {})},
        "history": {},
        "watchers": {name: watcher},
    }
    return console_of(request).templates.page(
        request,
        f"watcher_{tab}.html",
        daemon=snapshot,
        name=name,
        watcher=watcher,
        tab=tab,
        **{"section": "/", **values},
    )


def _known(daemon: DaemonModel, name: str) -> Mapping[str, Any]:
    try:
        return daemon.watchers[name]
    except KeyError:
        raise HTTPException(404, f"no watcher is named {name}") from None


def routes() -> list[BaseRoute]:
    """Return the routes of a watcher's pages. A name may hold slashes, so it stands last."""
    below = "/watchers/{daemon}"
    return [
        Route(below + "/processes/{name:path}", processes),
        Route(below + "/output/{name:path}", output),
        Route(below + "/options/{name:path}", options, methods=["GET"]),
        Route(below + "/options/{name:path}", set_options, methods=["POST"]),
        Route(below + "/events/{name:path}", events),
        Route(below + "/older/{name:path}", older),
        Route(below + "/download/{name:path}", download),
    ]
