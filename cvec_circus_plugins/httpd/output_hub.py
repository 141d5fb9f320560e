"""Live output of processes: heard from a daemon while somebody follows it, and handed to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from cvec_circus_core.api import topic_name
from cvec_circus_plugins.httpd.feed import Feed

Piece = dict[str, Any]
Follow = Callable[[Piece], None]


class Subscribable(Protocol):
    """A daemon that may be listened to."""

    @property
    def key(self) -> str:
        """What it is called in addresses."""

    @property
    def link(self) -> Any:
        """The way to it."""


class OutputHub:
    """Who follows the output of which watcher."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._daemons: dict[str, Subscribable] = {}
        self._heard: frozenset[tuple[str, str]] = frozenset()
        self._followers: dict[Follow, tuple[str, str]] = {}

    def add(self, daemon: Subscribable) -> None:
        """Know one more daemon."""
        self._daemons[daemon.key] = daemon

    def follow(self, daemon: str, watcher: str, follow: Follow) -> None:
        """Hand the pieces of a watcher's output to a function."""
        self._followers[follow] = (daemon, watcher)
        self.audience_changed()

    def leave(self, follow: Follow) -> None:
        """Hand it nothing more."""
        self._followers.pop(follow, None)
        self.audience_changed()

    def audience_changed(self) -> None:
        """Subscribe to what is followed, and to nothing else."""
        wanted_sources = {
            mailbox.watcher
            for mailbox in self._feed.mailboxes
            if mailbox.watcher is not None and "output" in mailbox.topics
        } | set(self._followers.values())
        for daemon, watcher in wanted_sources - self._heard:
            if daemon in self._daemons:
                self._daemons[daemon].link.subscribe([_topic(watcher)])
        for daemon, watcher in self._heard - wanted_sources:
            if daemon in self._daemons:
                self._daemons[daemon].link.unsubscribe([_topic(watcher)])
        self._heard = frozenset(wanted_sources)

    def take(self, daemon: str, topic: bytes, body: bytes) -> None:
        """Take a piece of output from a daemon."""
        try:
            piece: Piece = json.loads(body)
        except ValueError:
            return
        channel = topic.rpartition(b".")[2].decode(errors="replace")
        source = (daemon, str(piece.get("watcher")))
        message = {"type": "output", "daemon": daemon, "channel": channel, **piece}
        for mailbox in self._feed.mailboxes:
            if mailbox.watcher == source and "output" in mailbox.topics:
                mailbox.put_output(message, len(message.get("data", "")))
        for follow, followed in list(self._followers.items()):
            if followed == source:
                follow(message)


def _topic(watcher: str) -> str:
    return f"stream.{topic_name(watcher)}."
