"""The command tail with --follow: output as it comes, every byte once.

The daemon publishes output while somebody subscribes, and keeps the last of it in memory. Each
piece says where in its process's output it begins, so that what was missed, before the subscription
had arrived or because we were too slow, is seen and asked for. A watcher is followed by its name,
over restarts and reloads.

What is printed are whole lines, unless the rest of one does not come for a second.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_plugins.commands._output_entries import LinePrinter, as_json, bytes_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cvec_circus_core.api import Events, Piece, Session

CHANNELS = ("stdout", "stderr")

_ALL_LINES = 10_000
_LOOK_AGAIN = 0.5
_LONG = 3600.0
_PATIENCE = 2.0
_REST_OF_LINE = 1.0

Key = tuple[str, int, str]
"""A watcher's name in lower case, a pid, a channel."""


def follow_output(
    session: Session, command: str, requests: Sequence[Mapping[str, Any]]
) -> Iterator[Piece]:
    """Return the last output of some watchers, and all that comes. Raises CallError, Refused."""
    replies = [session.call(command, request) for request in requests]
    for reply in replies:
        if reply.get("status") == "error":
            raise api.Refused(reply)
    requests = [_settled(*pair) for pair in zip(requests, replies, strict=True)]
    follower = _Follower(session, command, requests)
    yield from follower.begin(replies)
    endpoint = replies[0]["pubsub_endpoint"]
    if endpoint is None:
        yield from follower.run(_NoEvents(), _LOOK_AGAIN)
        return
    topics = [f"stream.{api.topic_name(request['name'])}." for request in requests]
    with session.events(topics, endpoint, _PATIENCE) as events:
        # Who may only read the output of this watcher is not let in where events are told.
        yield from follower.run(events, _LOOK_AGAIN if events.trouble else _LONG)


def _settled(request: Mapping[str, Any], reply: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the request with the watcher that the daemon has taken a name such as web:1 for."""
    if "watcher" not in reply:
        return request
    settled = {**request, "name": reply["watcher"], "process": reply["process"]}
    settled.pop("full_name", None)
    return settled


class _NoEvents:
    """Stands for events where none may be heard."""

    def receive(self, timeout: float) -> None:
        """Wait, and hear nothing."""
        threading.Event().wait(timeout)


class _Follower:
    """Yields what was not printed yet."""

    def __init__(
        self, session: Session, command: str, requests: Sequence[Mapping[str, Any]]
    ) -> None:
        self._session = session
        self._command = command
        self._requests = {request["name"].strip().lower(): request for request in requests}
        self._printer = LinePrinter(prefixes=len(requests) > 1)
        self._ends: dict[Key, int] = {}
        """How many bytes of each process and channel were received."""
        self._unfinished: dict[Key, tuple[Mapping[str, Any], bytes]] = {}
        """Lines whose end has not come yet."""
        self._seen: set[tuple[str, int]] = set()

    def begin(self, replies: Iterable[Mapping[str, Any]]) -> Iterator[Piece]:
        """Yield the output of the first replies, in the order in which it came."""
        entries = []
        for name, reply in zip(self._requests, replies, strict=True):
            entries += reply["merged"]
            self._printer.prefixes |= reply["processes"] > 1
            for end in reply["ends"]:
                self._ends[name, end["process_pid"], end["channel"]] = end["end"]
        for entry in sorted(entries, key=lambda entry: float(entry["time"])):
            yield self._piece(entry, bytes_of(entry))

    def run(self, events: Events | _NoEvents, longest: float) -> Iterator[Piece]:
        """Yield what comes, for ever; where nothing comes for so many seconds, ask for it."""
        # The subscription may have come too late for what was written meanwhile.
        pause = _LOOK_AGAIN
        while True:
            patience = min(pause, _REST_OF_LINE) if self._unfinished else pause
            received = events.receive(patience)
            if received is not None:
                yield from self._on_event(json.loads(received[1]))
            elif patience == pause:
                pause = longest
                yield from self._catch_up()
            else:
                yield from self._flush()

    def _on_event(self, event: Mapping[str, Any]) -> Iterator[Piece]:
        name = event["watcher"].lower()
        request = self._requests.get(name)
        if request is None or event["name"] not in _channels_of(request):
            return
        if request.get("process") not in (None, event["wid"]):
            return
        if event["start"] > self._ends.get((name, event["pid"], event["name"]), 0):
            yield from self._catch_up()
        entry = {
            "watcher": event["watcher"],
            "process_id": event["wid"],
            "process_pid": event["pid"],
            "channel": event["name"],
            "time": event["time"],
        }
        yield from self._new_lines(name, entry, event["start"], bytes_of(event))

    def _catch_up(self) -> Iterator[Piece]:
        for name, request in self._requests.items():
            for channel in _channels_of(request):
                question = {
                    "name": request["name"],
                    "channel": channel,
                    "lines": _ALL_LINES,
                    **{key: request[key] for key in ("process",) if key in request},
                }
                reply = self._session.call(self._command, question)
                for entry in reply.get("output", ()):
                    data = bytes_of(entry)
                    entry = {"watcher": request["name"], "channel": channel, **entry}
                    yield from self._new_lines(name, entry, entry["end"] - len(data), data)

    def _new_lines(
        self, name: str, entry: Mapping[str, Any], start: int, data: bytes
    ) -> Iterator[Piece]:
        key = (name, entry["process_pid"], entry["channel"])
        received = self._ends.get(key, 0)
        if start + len(data) <= received:
            return
        self._ends[key] = start + len(data)
        _, unfinished = self._unfinished.pop(key, (entry, b""))
        text = unfinished + data[max(0, received - start) :]
        end = text.rfind(b"\n") + 1
        if end < len(text):
            self._unfinished[key] = entry, text[end:]
        if end:
            yield from self._matching(entry, text[:end])

    def _flush(self) -> Iterator[Piece]:
        unfinished, self._unfinished = self._unfinished, {}
        for entry, text in unfinished.values():
            yield from self._matching(entry, text)

    def _matching(self, entry: Mapping[str, Any], data: bytes) -> Iterator[Piece]:
        name = entry["watcher"].lower()
        text = str(self._requests[name].get("grep", "")).encode()
        if text:
            parts = data.split(b"\n")
            lines = [*(part + b"\n" for part in parts[:-1]), parts[-1]]
            data = b"".join(line for line in lines if text in line)
        if data:
            yield self._piece(entry, data)

    def _piece(self, entry: Mapping[str, Any], data: bytes) -> Piece:
        self._seen.add((entry["watcher"].lower(), entry["process_id"]))
        self._printer.prefixes |= len(self._seen) > 1
        content = {key: entry[key] for key in entry if key not in ("data", "encoding", "end")}
        content |= as_json(data)
        return api.Piece(content, self._printer.text_of(content))


def _channels_of(request: Mapping[str, Any]) -> tuple[str, ...]:
    channel = request.get("channel", CHANNELS[0])
    return CHANNELS if channel == "all" else (channel,)
