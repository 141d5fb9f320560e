"""The bare wire: sockets as any client could have them, without a line of our own clients."""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

import zmq

from cvec_circus_core.model.curve_keys import CurveKeys

LIMIT = 30.0


class NoReply(AssertionError):
    """The reply did not come."""


class Caller:
    """One client socket: DEALER, or REQ."""

    def __init__(
        self, endpoint: str, kind: int = zmq.DEALER, keys: CurveKeys | None = None
    ) -> None:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
        self.socket: zmq.Socket[bytes] = context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.ipv6 = True
        if keys is not None:
            self.socket.curve_serverkey = bytes.fromhex(keys.server)
            self.socket.curve_publickey = bytes.fromhex(keys.own.public)
            self.socket.curve_secretkey = bytes.fromhex(keys.own.secret)
        self.socket.connect(endpoint)
        self._others: dict[Any, dict[str, Any]] = {}

    def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Send a request and return its reply, whatever else arrives before it."""
        return self.answer(self.send(command, **properties))

    def send(self, command: str, **properties: Any) -> str:
        """Send a request and return its id."""
        number = uuid.uuid4().hex
        self.send_json({"id": number, "command": command, "properties": properties})
        return number

    def cast(self, command: str, **properties: Any) -> None:
        """Send a request that wants no reply."""
        self.send_json({"msg_type": "cast", "command": command, "properties": properties})

    def send_json(self, message: Any) -> None:
        """Send any JSON value."""
        self.socket.send(json.dumps(message).encode())

    def answer(self, number: Any, limit: float = LIMIT) -> dict[str, Any]:
        """Return the reply with this id."""
        while number not in self._others:
            reply = self.receive(limit)
            self._others[reply["id"]] = reply
        return self._others.pop(number)

    def receive(self, limit: float = LIMIT) -> dict[str, Any]:
        """Return the next reply."""
        if not self.socket.poll(round(limit * 1000)):
            raise NoReply(f"no reply in {limit:g} s")
        frames = self.socket.recv_multipart()
        assert len(frames) == 1, frames
        reply: dict[str, Any] = json.loads(frames[0])
        return reply

    def is_silent(self, seconds: float) -> bool:
        """Tell whether nothing arrives for so long."""
        return not self.socket.poll(round(seconds * 1000))

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Heard:
    """One event: its topic, and its body."""

    def __init__(self, topic: str, body: dict[str, Any]) -> None:
        self.topic = topic
        self.body = body
        self.at = time.monotonic()
        self.watcher, _, self.kind = topic.removeprefix("watcher.").rpartition(".")

    @property
    def pid(self) -> int:
        """Whom it is about."""
        return int(self.body["process_pid"])

    def __repr__(self) -> str:
        return f"{self.topic} {self.body}"


Knock = Callable[[str], bool]
"""Has the daemon tell an event of this name; False where it is gone."""


class Ear:
    """A subscriber that reads all the time, in a thread of its own."""

    def __init__(self, endpoint: str, topics: Iterable[str], knock: Knock) -> None:
        self.probe = f"probe-{uuid.uuid4().hex[:8]}-"
        self._knock = knock
        self._knocks = 0
        self.events: list[Heard] = []
        self._changed = threading.Condition()
        self._probes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, 0)
        for topic in [*topics, f"watcher.{self.probe}"] if topics else ["watcher."]:
            self._socket.subscribe(topic)
        self._socket.connect(endpoint)
        self._closing = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def catch_up(self, limit: float = LIMIT) -> bool:
        """Hear everything that was told up to now; False where that did not work in time."""
        self._knocks += 1
        name = f"{self.probe}{self._knocks}"
        if not self._knock(name):
            return True
        end = time.monotonic() + limit
        try:
            while self._probes.get(timeout=max(0.0, end - time.monotonic())) != name:
                pass
        except queue.Empty:
            return False
        return True

    def wait_for(
        self, kind: str, watcher: str = "", *, count: int = 1, limit: float = LIMIT, **body: Any
    ) -> list[Heard]:
        """Return the events of a kind, as soon as there are so many."""

        def found() -> list[Heard]:
            return self._of(kind, watcher, **body)

        with self._changed:
            done = self._changed.wait_for(lambda: len(found()) >= count, limit)
        assert done, f"{len(found())} of {count} {watcher}.{kind} {body} in {limit:g} s: {self}"
        return found()

    def of(self, kind: str, watcher: str = "", **body: Any) -> list[Heard]:
        """Return the events of a kind told so far."""
        self.catch_up()
        return self._of(kind, watcher, **body)

    def _of(self, kind: str, watcher: str, **body: Any) -> list[Heard]:
        return [
            event
            for event in tuple(self.events)
            if event.kind == kind
            and watcher in ("", event.watcher)
            and all(event.body.get(key) == value for key, value in body.items())
        ]

    def kinds(self, watcher: str) -> list[str]:
        """Return what happened to a watcher so far, in order."""
        self.catch_up()
        return [event.kind for event in tuple(self.events) if event.watcher == watcher]

    def forget(self) -> None:
        """Begin with nothing heard."""
        self.catch_up()
        with self._changed:
            self.events.clear()

    def close(self) -> None:
        """Hear nothing more."""
        self._closing = True
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        while not self._closing:
            if not self._socket.poll(50):
                continue
            topic, body = self._socket.recv_multipart()
            heard = Heard(topic.decode(), json.loads(body))
            if heard.watcher.startswith("probe-"):
                self._probes.put(heard.watcher)
                continue
            with self._changed:
                self.events.append(heard)
                self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.events[-60:]))
