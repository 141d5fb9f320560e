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
        self._followers: dict[Follow, tuple[str, str]] = {}

    def add(self, daemon: Subscribable) -> None:
        """Know one more daemon."""
        self._daemons[daemon.key] = daemon

    def remove(self, daemon: Subscribable) -> None:
        """Know one daemon less."""
        self._daemons.pop(daemon.key, None)

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
        sources = {
            mailbox.watcher
            for mailbox in self._feed.mailboxes
            if mailbox.watcher is not None and "output" in mailbox.topics
        } | set(self._followers.values())
        for daemon in self._daemons.values():
            topics = frozenset(_topic(watcher) for key, watcher in sources if key == daemon.key)
            daemon.link.listen_to_output(topics)

    def take(self, daemon: str, body: bytes) -> None:
        """Take a piece of output from a daemon."""
        try:
            message = _message(daemon, json.loads(body))
        except (ValueError, KeyError, TypeError):
            return
        source = (daemon, message["watcher"])
        for mailbox in self._feed.mailboxes:
            if mailbox.watcher == source and "output" in mailbox.topics:
                mailbox.put_output(message, len(message["data"]))
        for follow, followed in list(self._followers.items()):
            if followed == source:
                follow(message)


def _message(daemon: str, piece: Piece) -> Piece:
    message = {
        "type": "output",
        "daemon": daemon,
        "watcher": piece["watcher"],
        "channel": piece["name"],
        "process_id": piece["wid"],
        "process_pid": piece["pid"],
        "start": piece["start"],
        "time": piece["time"],
        "data": piece["data"],
    }
    if "encoding" in piece:
        message["encoding"] = piece["encoding"]
    return message


def _topic(watcher: str) -> str:
    return f"stream.{topic_name(watcher)}."
