"""The command tail with --follow: output as it comes, every byte once.

The daemon publishes output while somebody subscribes, and keeps the last of it in memory. Each
piece says where in its process's output it begins, so that what was missed, before the subscription
had arrived or because we were too slow, is seen and asked for.
"""

from __future__ import annotations

import json
import sys
import threading
from base64 import b64decode
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cvec_circus_cli import exit_codes
from cvec_circus_cli.output import print_reply
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_cli.requests import Connection
    from cvec_circus_cli.settings import Settings
    from cvec_circus_core.api import CircusConsumer, Command

_ALL_LINES = 10_000
_LOOK_AGAIN = 0.5
_LONG = 3600.0
_PATIENCE = 2.0


def follow(
    settings: Settings, connection: Connection, command: Command, properties: Mapping[str, Any]
) -> int:
    """Print the last output and all that comes, and return the exit code when interrupted."""
    reply = connection.call(command.name, properties)
    if reply.get("status") == "error":
        return print_reply(settings, command, reply, "")
    if reply["pubsub_endpoint"] is None:
        return _ask_again_and_again(Follower(settings, connection, properties), reply)
    endpoint = reachable(reply["pubsub_endpoint"], settings.control_endpoint)
    consumer = api.CircusConsumer(
        [f"stream.{api.topic_name(properties['name'])}."],
        endpoint=endpoint,
        ssh_server=settings.ssh,
        ssh_keyfile=settings.ssh_keyfile,
        keys=settings.keys,
    )
    with consumer:
        try:
            follower = Follower(settings, connection, properties)
            follower.begin(reply)
            # Who may only read the output of this watcher is not let in where events are told.
            hears = consumer.wait_connected(min(_PATIENCE, settings.timeout or _PATIENCE))
            follower.run(consumer, _LONG if hears else _LOOK_AGAIN)
        except KeyboardInterrupt:
            sys.stdout.flush()
    return exit_codes.OK


class QuietTooLong:
    """Stands for events where none may be heard."""

    def receive(self, timeout: float) -> None:
        """Wait, and hear nothing."""
        threading.Event().wait(timeout)


def _ask_again_and_again(follower: Follower, reply: Mapping[str, Any]) -> int:
    try:
        follower.begin(reply)
        follower.run(QuietTooLong(), _LOOK_AGAIN)
    except KeyboardInterrupt:
        sys.stdout.flush()
    return exit_codes.OK


class Follower:
    """Prints what was not printed yet."""

    def __init__(
        self, settings: Settings, connection: Connection, properties: Mapping[str, Any]
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._properties = properties
        self._ends: dict[int, int] = {}
        """How many bytes of each process are printed."""
        self._last: int | None = None

    def begin(self, reply: Mapping[str, Any]) -> None:
        """Print the output of the first reply."""
        for one in reply["output"]:
            if not one["ended"] or len(reply["output"]) == 1:
                self._ends[one["process_pid"]] = one["end"]
                self._print(one, bytes_of(one))

    def run(self, consumer: CircusConsumer | QuietTooLong, longest: float) -> None:
        """Print what comes, for ever; where nothing comes for so many seconds, ask for it."""
        # The subscription may have come too late for what was written meanwhile.
        pause = _LOOK_AGAIN
        while True:
            received = consumer.receive(pause)
            if received is not None:
                self._take(json.loads(received[1]))
            else:
                pause = longest
                self._catch_up()

    def _take(self, piece: Mapping[str, Any]) -> None:
        said = self._properties
        if piece["watcher"].lower() != said["name"].strip().lower():
            return
        if piece["name"] != said.get("channel", "stdout"):
            return
        if said.get("process") not in (None, piece["wid"]):
            return
        if piece["start"] > self._ends.get(piece["pid"], 0):
            self._catch_up()
        entry = {**piece, "process_id": piece["wid"], "process_pid": piece["pid"]}
        self._print_new(entry, piece["start"])

    def _catch_up(self) -> None:
        message = {**self._properties, "lines": _ALL_LINES}
        reply = self._connection.call("tail", message)
        for one in reply.get("output", ()):
            if one["process_pid"] in self._ends or not one["ended"]:
                self._print_new(one, one["end"] - len(bytes_of(one)))

    def _print_new(self, one: Mapping[str, Any], start: int) -> None:
        data = bytes_of(one)
        known = self._ends.get(one["process_pid"], 0)
        if start + len(data) > known:
            self._ends[one["process_pid"]] = start + len(data)
            self._print(one, data[max(0, known - start) :])

    def _print(self, one: Mapping[str, Any], data: bytes) -> None:
        pid = one["process_pid"]
        if not data:
            return
        if self._settings.json or self._settings.prettify:
            print(json.dumps(dict(one), sort_keys=self._settings.prettify), flush=True)
            return
        if pid != self._last and (self._last is not None or len(self._ends) > 1):
            print(f"==> process {one['process_id']} (pid {pid}) <==")
        self._last = pid
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def bytes_of(one: Mapping[str, Any]) -> bytes:
    """Return the bytes of an entry, whichever way they were sent."""
    text: str = one["data"]
    return b64decode(text) if one.get("encoding") == "base64" else text.encode()


def reachable(endpoint: str, control: str) -> str:
    """Return where we reach an endpoint that is bound to every address of the daemon's machine."""
    there = urlsplit(endpoint)
    if there.scheme != "tcp" or there.hostname not in ("0.0.0.0", "*", "::"):  # noqa: S104 – asked, not bound
        return endpoint
    return f"tcp://{urlsplit(control).hostname or '127.0.0.1'}:{there.port}"
