"""The composition: what one console is made of, built and taken down with its application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any, cast

import zmq
from starlette.requests import HTTPConnection

from cvec_circus_core.api import Command, load_commands
from cvec_circus_plugins.httpd.accounts import Accounts
from cvec_circus_plugins.httpd.added_daemons import AddedDaemons
from cvec_circus_plugins.httpd.attempts import AttemptLimit
from cvec_circus_plugins.httpd.daemon_model import DaemonModel, daemon_key
from cvec_circus_plugins.httpd.feed import Feed
from cvec_circus_plugins.httpd.output_hub import OutputHub
from cvec_circus_plugins.httpd.sessions import SessionInfo
from cvec_circus_plugins.httpd.settings import ConsoleSettings, DaemonAddress
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
        self.added = AddedDaemons(settings.path)
        self.attempts = AttemptLimit(lambda: asyncio.get_running_loop().time())
        self._context: zmq.Context[Any] | None = None

    async def start(self) -> None:
        """Begin to follow the daemons."""
        self._context = zmq.Context()
        await self.follow_daemons()

    async def follow_daemons(self) -> None:
        """Follow those daemons that the settings and people have named, and no others."""
        assert self._context is not None
        addresses = {**_by_key(self.settings.daemons), **_by_key(self.added.addresses())}
        for key in self.daemons.keys() - addresses.keys():
            model = self.daemons.pop(key)
            self.outputs.remove(model)
            await model.close()
        for key in [key for key in addresses if key not in self.daemons]:
            model = DaemonModel(self._context, addresses[key], self.feed, self.outputs.take)
            self.daemons[key] = model
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
        model = next(iter(self.daemons.values()), None) if key is None else self.daemons.get(key)
        if model is None:
            raise UnknownDaemon(key)
        return model

    def _on_audience(self) -> None:
        watched: dict[str, set[str]] = {}
        for mailbox in self.feed.mailboxes:
            if mailbox.watcher is not None and "processes" in mailbox.topics:
                watched.setdefault(mailbox.watcher[0], set()).add(mailbox.watcher[1])
        for daemon in self.daemons.values():
            daemon.usage.detailed = frozenset(watched.get(daemon.key, ()))
            daemon.audience_changed(self.feed.has_audience)
        self.outputs.audience_changed()


def _by_key(addresses: Iterable[DaemonAddress]) -> dict[str, DaemonAddress]:
    return {daemon_key(address.endpoint): address for address in addresses}


def console_of(connection: HTTPConnection) -> Console:
    """Return the console that a request came to."""
    return cast(Console, connection.app.state.console)


def session_of(connection: HTTPConnection) -> SessionInfo | None:
    """Return the session of a request."""
    return cast("SessionInfo | None", connection.state.session)


def visit_of_request(connection: HTTPConnection) -> Visit:
    """Return where a request came from."""
    return cast(Visit, connection.state.visit)
