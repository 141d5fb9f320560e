"""The HTTP interface for programs: commands, daemons, events as they come, output as it comes.

Streams are server-sent events: each has a name, JSON as data, and a comment every few seconds, so
that nobody on the way takes the connection for dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cvec_circus_core.api import CallError, encode_event
from cvec_circus_plugins.httpd.commands import as_response, run_command
from cvec_circus_plugins.httpd.console import Console, UnknownDaemon, console_of, session_of
from cvec_circus_plugins.httpd.daemon_link import PATIENCE
from cvec_circus_plugins.httpd.daemon_model import DaemonModel
from cvec_circus_plugins.httpd.event_log import OWN
from cvec_circus_plugins.httpd.feed import Mailbox
from cvec_circus_plugins.httpd.handlers import page, resource
from cvec_circus_plugins.httpd.openapi import document_of
from cvec_circus_plugins.httpd.output_stream import OutputStream
from cvec_circus_plugins.httpd.responses import Json, problem

HEARTBEAT = 10.0
GATHERING = 0.05
STREAMS_AT_MOST = 200
MOST_LINES = 10_000
CHANNELS = ("stdout", "stderr", "all")


@page
async def show_interface(request: Request) -> Response:
    """Show the page about the interface."""
    console = console_of(request)
    document = document_of(console.commands, request.scope.get("root_path", ""))
    return console.templates.page(request, "api.html", document=document)


@resource
async def show_document(request: Request) -> Response:
    """Return the OpenAPI document."""
    console = console_of(request)
    return Json(document_of(console.commands, request.scope.get("root_path", "")))


@resource
async def list_daemons(request: Request) -> Response:
    """Return the daemons of this console."""
    daemons = {daemon.key: daemon.connection() for daemon in console_of(request).daemons.values()}
    return Json({"status": "ok", "daemons": daemons})


@resource
async def follow_events(request: Request) -> Response:
    """Stream what happens."""
    console = console_of(request)
    daemon = _daemon(request, console)
    if daemon is None:
        return problem(404, "no such daemon")
    if console.feed.size >= STREAMS_AT_MOST:
        return problem(503, "too many streams are open")
    topics = tuple(request.query_params.getlist("topic"))
    return _stream(_events(console, daemon, topics))


@resource
async def follow_output(request: Request) -> Response:
    """Stream the output of a watcher: the last of it, and what comes."""
    console, session = console_of(request), session_of(request)
    assert session is not None
    daemon = _daemon(request, console)
    if daemon is None:
        return problem(404, "no such daemon")
    if console.feed.size >= STREAMS_AT_MOST:
        return problem(503, "too many streams are open")
    channel, lines = request.query_params.get("channel", "all"), _lines(request)
    if channel not in CHANNELS or lines is None:
        return problem(400, f"channel is stdout, stderr or all, and lines is up to {MOST_LINES}")
    watcher = request.path_params["watcher"]

    def ask_tail(properties: Mapping[str, Any]) -> Awaitable[Mapping[str, Any]]:
        return daemon.ask("tail", {**properties, "name": watcher}, session.person, PATIENCE)

    mailbox = Mailbox(wants_states=False)
    mailbox.topics = frozenset({"output"})
    mailbox.watcher = (daemon.key, watcher)
    console.feed.join(mailbox)
    try:
        reply = await ask_tail({"channel": channel, "lines": lines, "merged": True})
    except CallError as error:
        console.feed.leave(mailbox)
        return problem(504, str(error))
    if reply.get("status") == "error":
        console.feed.leave(mailbox)
        return as_response(reply)
    channels = CHANNELS[:-1] if channel == "all" else (channel,)
    stream = OutputStream(ask_tail, channels, reply["ends"])
    return _stream(_output(console, mailbox, reply["merged"], stream))


def routes() -> list[BaseRoute]:
    """Return the routes of the interface."""
    return [
        Route("/api", show_interface),
        Route("/api/openapi.json", show_document),
        Route("/api/daemons", list_daemons),
        Route("/api/events", follow_events),
        Route("/api/output/{watcher}", follow_output),
        Route("/api/commands/{command}", run_command, methods=["POST"]),
    ]


def _daemon(request: Request, console: Console) -> DaemonModel | None:
    try:
        return console.daemon(request.query_params.get("daemon"))
    except UnknownDaemon:
        return None


def _lines(request: Request) -> int | None:
    text = request.query_params.get("lines", "10")
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_LINES))
    return int(text) if is_number and int(text) <= MOST_LINES else None


async def _events(
    console: Console, daemon: DaemonModel, topics: tuple[str, ...]
) -> AsyncIterator[bytes]:
    mailbox = Mailbox(wants_states=False)
    mailbox.topics = frozenset({"events"})
    console.feed.join(mailbox)
    try:
        yield _comment("following")
        async for message in _messages(mailbox):
            if message is None:
                yield _comment("still here")
            elif message["type"] == "lost" and "events" in message:
                yield _event("lost", {"events": message["events"]})
            elif (
                message["type"] == "event"
                and message["daemon"] == daemon.key
                and not message["topic"].startswith(OWN)
                and (not topics or message["topic"].startswith(topics))
            ):
                yield _event("event", {"topic": message["topic"], "body": message["body"]})
    finally:
        console.feed.leave(mailbox)


async def _output(
    console: Console, mailbox: Mailbox, backlog: Sequence[Mapping[str, Any]], stream: OutputStream
) -> AsyncIterator[bytes]:
    try:
        for entry in backlog:
            yield _event("output", entry)
        yield _comment("following")
        async for message in _messages(mailbox, stream):
            is_output = message is not None and message["type"] == "output"
            async for piece in stream.take(message if is_output else None):
                yield _event(piece["type"], piece)
            if message is None:
                yield _comment("still here")
    finally:
        console.feed.leave(mailbox)


async def _messages(
    mailbox: Mailbox, stream: OutputStream | None = None
) -> AsyncIterator[Mapping[str, Any] | None]:
    """Yield what comes, and None where nothing has come for a while."""
    while True:
        patience = None if stream is None else stream.patience
        try:
            async with asyncio.timeout(HEARTBEAT if patience is None else patience):
                messages = await mailbox.take()
        except TimeoutError:
            yield None
            continue
        for message in messages:
            yield message
        await asyncio.sleep(GATHERING)


def _stream(pieces: AsyncIterator[bytes]) -> StreamingResponse:
    # The second header keeps nginx from gathering what is to be seen at once.
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(pieces, media_type="text/event-stream", headers=headers)


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    content = {key: value for key, value in data.items() if key != "type"}
    return b"event: " + name.encode() + b"\ndata: " + encode_event(content) + b"\n\n"


def _comment(text: str) -> bytes:
    return b": " + text.encode() + b"\n\n"
