"""Sends requests and, where it was asked to wait, stays until the daemon is done.

A request that waits may take long. As long as no timeout was given, we wait as long as the daemon
is there and answers others; with one, the caller is told that the daemon is still at work. What is
waited for is told on standard error, if that is a terminal.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any

from cvec_circus_cli.settings import DEFAULT_TIMEOUT
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_cli.settings import Settings
    from cvec_circus_core.api import CircusClient

GONE_WITHIN, GONE_LOOK_EVERY = 5.0, 0.02
"""Seconds that a daemon may take from its last word to its end, and between two looks."""

LOOK_EVERY = 1.0
"""Seconds between two looks at what is waited for."""
PROBE_EVERY = 3.0
"""Seconds between two questions whether the daemon is alive, where nobody watches."""
PROBE_TIMEOUT = 5.0


class StillRunning(Exception):
    """The time to wait is over, and the daemon is still at work."""


class Connection:
    """The way to one daemon, opened when it is first used."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._client: CircusClient | None = None

    def call(
        self, command: str, properties: Mapping[str, Any], *, ends_daemon: bool = False
    ) -> dict[str, Any]:
        """Return the reply. Raises CallError, StillRunning, BadEndpoint."""
        message = api.make_message(command, **properties)
        if not properties.get("waiting"):
            return self._opened().call(message)
        reply = self._wait(message, ends_daemon=ends_daemon)
        if ends_daemon and reply.get("status") == "ok":
            self._wait_gone()
        return reply

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._client is not None:
            self._client.stop()
            self._client = None

    def _opened(self) -> CircusClient:
        if self._client is None:
            self._client = self._new(self.settings.timeout or DEFAULT_TIMEOUT)
        return self._client

    def _new(self, timeout: float) -> CircusClient:
        settings = self.settings
        if settings.ssh is None and not settings.waits_for_daemon:
            self._check_listener()
        client = api.CircusClient(
            endpoint=settings.checked_endpoint(),
            timeout=timeout,
            ssh_server=settings.ssh,
            ssh_keyfile=settings.ssh_keyfile,
            keys=settings.keys,
        )
        client.waits_for_daemon = settings.waits_for_daemon
        client.check_listener = self._check_listener
        return client

    def call_within(
        self, seconds: float, command: str, properties: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the reply to a question that is not worth more seconds. Raises CallError."""
        limit = self.settings.timeout or DEFAULT_TIMEOUT
        with self._new(min(limit, seconds)) as client:
            return client.call(api.make_message(command, **properties))

    def _check_listener(self) -> None:
        check_listener(self.settings.checked_endpoint(), self.settings.trusted_users)

    def _wait(self, message: dict[str, Any], *, ends_daemon: bool) -> dict[str, Any]:
        client = self._opened()
        client.is_broken()  # from now on it is seen
        request = client.ask(message)
        limit = self.settings.timeout
        deadline = api.Deadline(limit) if limit is not None else None
        waited = 0.0
        progress = Progress(message)
        try:
            while True:
                pause = LOOK_EVERY if deadline is None else min(LOOK_EVERY, deadline.left())
                try:
                    return client.answer(request, pause)
                except api.NoAnswer:
                    waited += pause
                if client.is_broken():
                    with suppress(api.NoAnswer):  # its last word may have come just before
                        return client.answer(request, 0.0)
                    if ends_daemon:  # it has nobody left to answer with: that is the answer
                        return {"status": "ok"}
                    raise _broken(message)
                is_over = deadline is not None and not deadline.left()
                if is_over or progress.is_shown or waited % PROBE_EVERY < LOOK_EVERY:
                    progress.show(waited, self._look(message))
                if is_over:
                    raise StillRunning(_still_running(message, limit or waited))
        finally:
            progress.clear()

    def _wait_gone(self) -> None:
        """Wait until a daemon has closed its endpoint that has said that it is at its end."""
        client, pause = self._opened(), Event()
        until = api.Deadline(GONE_WITHIN)
        while not client.is_broken() and until.left():
            pause.wait(GONE_LOOK_EVERY)

    def _look(self, message: Mapping[str, Any]) -> str:
        from cvec_circus_plugins.questions import progress

        with self._new(PROBE_TIMEOUT) as client:
            name = message["properties"].get("name")
            return progress(lambda command, options: client.send_message(command, **options), name)


class Progress:
    """A line on standard error that says what is waited for; nothing where that is no terminal."""

    def __init__(self, message: Mapping[str, Any]) -> None:
        self.is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._is_drawn = False
        self._wish = _wish(message)

    def show(self, waited: float, progress: str) -> None:
        """Write the line anew."""
        if self.is_shown:
            text = api.escaped(f"waiting for {self._wish}: {waited:.0f} s{progress}", _columns())
            # A line that wraps could not be taken away again.
            sys.stderr.write(f"\r\x1b[K{text[: _columns() - 1]}")
            sys.stderr.flush()
            self._is_drawn = True

    def clear(self) -> None:
        """Take the line away."""
        if self._is_drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def _wish(message: Mapping[str, Any]) -> str:
    name = message["properties"].get("name")
    return message["command"] if name is None else f"{message['command']} of {name}"


def _broken(message: Mapping[str, Any]) -> api.CallError:
    return api.CallError(
        f"the connection broke before {_wish(message)} was done: has the daemon ended?"
    )


def _still_running(message: Mapping[str, Any], waited: float) -> str:
    return (
        f"timed out: {_wish(message)} is still running after {waited:g} s; the daemon goes on with "
        "it: look with status, or wait longer with --timeout"
    )


def check_listener(endpoint: str, trusted_users: Sequence[str]) -> None:
    """Raise CallError where another user of this machine listens; nothing has been sent then."""
    api.check_listener(endpoint, trusted_users, "--trust-user")
