"""Something that listens like a daemon and answers as a test wants it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import zmq

Reply = Mapping[str, Any] | None
Answer = Callable[[dict[str, Any]], Reply | list[Reply]]


class Answering:
    """A ROUTER in a thread. ``answer`` gets each request and returns a reply, several, or None.

    A reply without an id gets that of the request; one with the id of an earlier request goes to
    who sent that. None is silence.
    """

    def __init__(self, answer: Answer, endpoint: str | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answer = answer
        self._peers: dict[Any, bytes] = {}
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.linger = 0
        if endpoint is None:
            port = self._socket.bind_to_random_port("tcp://127.0.0.1")
            endpoint = f"tcp://127.0.0.1:{port}"
        else:
            self._socket.bind(endpoint)
        self.endpoint = endpoint
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def asked(self) -> list[tuple[str, dict[str, Any]]]:
        """The commands and properties of all requests so far."""
        return [(request["command"], request["properties"]) for request in self.requests]

    def send_raw(self, id: Any, body: bytes) -> None:
        """Send this to who sent the request of this id; only from within ``answer``."""
        self._socket.send_multipart([self._peers[id], body])

    def end_soon(self) -> None:
        """Answer nothing any more and close the connection, as a daemon that ends does."""
        self._stop.set()

    def _serve(self) -> None:
        while not self._stop.is_set():
            if not self._socket.poll(20):
                continue
            peer, body = self._socket.recv_multipart()
            request = json.loads(body)
            self.requests.append(request)
            self._peers[request.get("id")] = peer
            replies = self._answer(request)
            for one in replies if isinstance(replies, list) else [replies]:
                if one is not None:
                    said = {"time": 1.0, "id": request.get("id"), **one}
                    to = self._peers.get(said["id"], peer)
                    self._socket.send_multipart([to, json.dumps(said).encode()])
        self._socket.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(10)
        self._context.term()


def canned(replies: Mapping[str, Reply | list[Reply]]) -> Answer:
    """Return what answers each command with the same reply, and others with an error."""

    def answer(request: dict[str, Any]) -> Reply | list[Reply]:
        unknown = f"unknown command: {request['command']!r}"
        refusal = {"status": "error", "errno": 2, "tb": None, "reason": unknown}
        return replies.get(request["command"], refusal)

    return answer
