"""The composition: what one console is made of, built and taken down with its application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, cast

import zmq
from starlette.requests import HTTPConnection

from cvec_circus_core.api import Command, load_commands
from cvec_circus_plugins.httpd.accounts import Accounts
from cvec_circus_plugins.httpd.attempts import AttemptLimit
from cvec_circus_plugins.httpd.daemon_model import DaemonModel
from cvec_circus_plugins.httpd.feed import Feed
from cvec_circus_plugins.httpd.output_hub import OutputHub
from cvec_circus_plugins.httpd.sessions import SessionInfo
from cvec_circus_plugins.httpd.settings import ConsoleSettings
from cvec_circus_plugins.httpd.templating import Templates
from cvec_circus_plugins.httpd.visit import Visit

log = logging.getLogger(__name__)


class UnknownDaemon(LookupError):
    """No daemon has this key."""


class Console:
    """Everything that handlers need."""

    def __init__(self, settings: ConsoleSettings, accounts: Accounts, templates: Templates) -> None:
        self.settings = settings
        self.accounts = accounts
        self.templates = templates
        self.commands: Mapping[str, Command] = load_commands()
        self.feed = Feed(self._on_audience)
        self.outputs = OutputHub(self.feed)
        self.daemons: dict[str, DaemonModel] = {}
        self.attempts = AttemptLimit(lambda: asyncio.get_running_loop().time())
        self._context: zmq.Context[Any] | None = None

    async def start(self) -> None:
        """Begin to follow the daemons."""
        self._context = zmq.Context()
        for address in self.settings.daemons:
            model = DaemonModel(self._context, address, self.feed, self.outputs.take)
            self.daemons[model.key] = model
            self.outputs.add(model)
            model.start()

    async def close(self) -> None:
        """Take everything down."""
        for daemon in self.daemons.values():
            await daemon.close()
        if self._context is not None:
            await asyncio.to_thread(self._context.term)

    def daemon(self, key: str | None) -> DaemonModel:
        """Return a daemon by its key; the first one where none is given. Raises `UnknownDaemon`."""
        if key is None:
            return next(iter(self.daemons.values()))
        try:
            return self.daemons[key]
        except KeyError:
            raise UnknownDaemon(key) from None

    def _on_audience(self) -> None:
        watched: dict[str, set[str]] = {}
        for mailbox in self.feed.mailboxes:
            if mailbox.watcher is not None and "processes" in mailbox.topics:
                watched.setdefault(mailbox.watcher[0], set()).add(mailbox.watcher[1])
        for daemon in self.daemons.values():
            daemon.usage.detailed = frozenset(watched.get(daemon.key, ()))
            daemon.audience_changed(self.feed.has_audience)
        self.outputs.audience_changed()


def console_of(connection: HTTPConnection) -> Console:
    """Return the console that a request came to."""
    return cast(Console, connection.app.state.console)


def session_of(connection: HTTPConnection) -> SessionInfo | None:
    """Return the session of a request."""
    return cast("SessionInfo | None", connection.state.session)


def visit_of_request(connection: HTTPConnection) -> Visit:
    """Return where a request came from."""
    return cast(Visit, connection.state.visit)
