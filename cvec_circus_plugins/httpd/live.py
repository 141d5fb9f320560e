"""The WebSocket of a page: everything that changes, and what the page wants beside.

The page says what it is about: ``{"topics": ["events", "output", "processes", "sockets"],
"daemon": KEY,
"watcher": NAME}``. Messages go out as fast as the browser reads; at most twenty in a second.
"""

from __future__ import annotations

import asyncio
import json
import logging

from starlette.websockets import WebSocket, WebSocketDisconnect

from cvec_circus_core.api import encode_event
from cvec_circus_plugins.httpd.console import Console, console_of, session_of
from cvec_circus_plugins.httpd.feed import Mailbox
from cvec_circus_plugins.httpd.sessions import SessionInfo

log = logging.getLogger(__name__)

GATHERING = 0.05
SESSION_LOOKED_AT = 15.0
"""Seconds after which it is looked whether the session is still good."""
_TOPICS = frozenset({"events", "output", "processes", "sockets"})
_LONGEST_WISH = 4096
_UNKNOWN, _TOO_MANY = 4401, 4429
SOCKETS_AT_MOST = 200


async def live(socket: WebSocket) -> None:
    """Serve one page until it goes."""
    console, session = console_of(socket), session_of(socket)
    await socket.accept()
    if session is None:
        await socket.close(_UNKNOWN, "sign in first")
        return
    if console.feed.size >= SOCKETS_AT_MOST:
        await socket.close(_TOO_MANY, "too many pages are open")
        return
    mailbox = Mailbox()
    for daemon in console.daemons.values():
        mailbox.put_snapshot(daemon.key, daemon.snapshot())
    console.feed.join(mailbox)
    tasks = [
        asyncio.create_task(_send(socket, mailbox), name="page sender"),
        asyncio.create_task(_receive(socket, console, mailbox), name="page receiver"),
        asyncio.create_task(_until_over(console, session), name="page session"),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[2].done():
            await socket.close(_UNKNOWN, "the session is over")
    except (WebSocketDisconnect, RuntimeError):
        pass  # It has gone meanwhile.
    finally:
        console.feed.leave(mailbox)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _send(socket: WebSocket, mailbox: Mailbox) -> None:
    while True:
        for message in await mailbox.take():
            await socket.send_text(encode_event(message).decode())
        await asyncio.sleep(GATHERING)


async def _receive(socket: WebSocket, console: Console, mailbox: Mailbox) -> None:
    while True:
        text = await socket.receive_text()
        if len(text) > _LONGEST_WISH:
            return
        try:
            wish = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(wish, dict):
            return
        topics = wish.get("topics", [])
        mailbox.topics = _TOPICS.intersection(map(str, topics if isinstance(topics, list) else []))
        daemon, watcher = wish.get("daemon"), wish.get("watcher")
        mailbox.watcher = None
        if isinstance(daemon, str) and isinstance(watcher, str):
            mailbox.watcher = (daemon, watcher)
        console.feed.changed()


async def _until_over(console: Console, session: SessionInfo) -> None:
    """Return when the session has ended; never where no session is kept."""
    while not session.key or console.accounts.sessions.is_open(session.key):  # noqa: ASYNC110
        await asyncio.sleep(SESSION_LOOKED_AT)
