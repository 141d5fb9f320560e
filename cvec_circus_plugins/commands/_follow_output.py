"""The command tail with --follow: output as it comes, every byte once.

The daemon publishes output while somebody subscribes, and keeps the last of it in memory. Each
piece says where in its process's output it begins, so that what was missed, before the subscription
had arrived or because we were too slow, is seen and asked for.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_plugins.commands._output_entries import bytes_of, heading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cvec_circus_core.api import Events, Piece, Session

_ALL_LINES = 10_000
_LOOK_AGAIN = 0.5
_LONG = 3600.0
_PATIENCE = 2.0


def follow_output(session: Session, command: str, request: Mapping[str, Any]) -> Iterator[Piece]:
    """Return the last output, and all that comes. Raises CallError, Refused."""
    reply = session.call(command, request)
    if reply.get("status") == "error":
        raise api.Refused(reply)
    follower = _Follower(session, command, request)
    endpoint = reply["pubsub_endpoint"]
    if endpoint is None:
        yield from follower.begin(reply)
        yield from follower.run(_NoEvents(), _LOOK_AGAIN)
        return
    topics = [f"stream.{api.topic_name(request['name'])}."]
    yield from follower.begin(reply)
    with session.events(topics, endpoint, _PATIENCE) as events:
        # Who may only read the output of this watcher is not let in where events are told.
        yield from follower.run(events, _LOOK_AGAIN if events.trouble else _LONG)


class _NoEvents:
    """Stands for events where none may be heard."""

    def receive(self, timeout: float) -> None:
        """Wait, and hear nothing."""
        threading.Event().wait(timeout)


class _Follower:
    """Yields what was not printed yet."""

    def __init__(self, session: Session, command: str, request: Mapping[str, Any]) -> None:
        self._session = session
        self._command = command
        self._request = request
        self._ends: dict[int, int] = {}
        """How many bytes of each process are printed."""
        self._last_pid: int | None = None

    def begin(self, reply: Mapping[str, Any]) -> Iterator[Piece]:
        """Yield the output of the first reply."""
        for entry in reply["output"]:
            if not entry["ended"] or len(reply["output"]) == 1:
                self._ends[entry["process_pid"]] = entry["end"]
                yield from self._pieces(entry, bytes_of(entry))

    def run(self, events: Events | _NoEvents, longest: float) -> Iterator[Piece]:
        """Yield what comes, for ever; where nothing comes for so many seconds, ask for it."""
        # The subscription may have come too late for what was written meanwhile.
        pause = _LOOK_AGAIN
        while True:
            received = events.receive(pause)
            if received is not None:
                yield from self._on_event(json.loads(received[1]))
            else:
                pause = longest
                yield from self._catch_up()

    def _on_event(self, event: Mapping[str, Any]) -> Iterator[Piece]:
        request = self._request
        if event["watcher"].lower() != request["name"].strip().lower():
            return
        if event["name"] != request.get("channel", "stdout"):
            return
        if request.get("process") not in (None, event["wid"]):
            return
        if event["start"] > self._ends.get(event["pid"], 0):
            yield from self._catch_up()
        entry = {**event, "process_id": event["wid"], "process_pid": event["pid"]}
        yield from self._new_pieces(entry, event["start"])

    def _catch_up(self) -> Iterator[Piece]:
        reply = self._session.call(self._command, {**self._request, "lines": _ALL_LINES})
        for entry in reply.get("output", ()):
            if entry["process_pid"] in self._ends or not entry["ended"]:
                yield from self._new_pieces(entry, entry["end"] - len(bytes_of(entry)))

    def _new_pieces(self, entry: Mapping[str, Any], start: int) -> Iterator[Piece]:
        data = bytes_of(entry)
        printed = self._ends.get(entry["process_pid"], 0)
        if start + len(data) > printed:
            self._ends[entry["process_pid"]] = start + len(data)
            yield from self._pieces(entry, data[max(0, printed - start) :])

    def _pieces(self, entry: Mapping[str, Any], data: bytes) -> Iterator[Piece]:
        pid = entry["process_pid"]
        if not data:
            return
        is_other = pid != self._last_pid and (self._last_pid is not None or len(self._ends) > 1)
        self._last_pid = pid
        head = heading({"process_id": entry["process_id"], "process_pid": pid})
        yield api.Piece(entry, head.encode() + data if is_other else data)
