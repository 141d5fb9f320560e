"""Something that publishes statistics as the protocol says, of a world that a test makes up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import zmq

Told = tuple[str, Mapping[str, Any]]


def process(pid: int, cpu: float = 0.0, **more: Any) -> dict[str, Any]:
    """Return the body of a process."""
    usual = {
        "mem_info1": "1.40M",
        "mem_info2": "2.44M",
        "mem": 0.006,
        "ctime": "0:00.0",
        "username": "root",
        "nice": 0,
        "create_time": 1795249556.38,
        "age": 36.45,
        "cmdline": "sleep",
        "children": [],
        "name": None,
    }
    return {**usual, "pid": pid, "subtopic": pid, "cpu": cpu, **more}


@dataclass
class World:
    """Watchers with the bodies of their processes, and sockets."""

    watchers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    sockets: list[dict[str, Any]] = field(default_factory=list)

    def told(self) -> Iterator[Told]:
        """Yield one round of what is published."""
        for name, bodies in self.watchers.items():
            for body in bodies:
                yield f"stat.{name}.{body['pid']}", body
            shares = [body["cpu"] for body in bodies]
            yield (
                f"stat.{name}",
                {
                    "pid": [body["pid"] for body in bodies],
                    "cpu": sum(shares) / len(shares) if shares else 0.0,
                    "mem": sum(body["mem"] for body in bodies),
                    "age": max((body["age"] for body in bodies), default=0),
                },
            )
        for body in self.sockets:
            yield f"stat.sockets.{body['fd']}", body
        if self.sockets:
            addresses = [body["address"] for body in self.sockets]
            reads = sum(body["reads"] for body in self.sockets)
            yield "stat.sockets", {"addresses": addresses, "reads": reads}


class Publishing:
    """A PUB in a thread, which tells of the world again and again."""

    def __init__(self, world: World, endpoint: str = "", every: float = 0.2) -> None:
        self.world = world
        self._every = every
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.linger = 0
        if endpoint:
            self._socket.bind(endpoint)
            self.endpoint = endpoint
        else:
            port = self._socket.bind_to_random_port("tcp://127.0.0.1")
            self.endpoint = f"tcp://127.0.0.1:{port}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._publish, daemon=True)

    def _publish(self) -> None:
        while not self._stop.wait(self._every):
            for topic, body in list(self.world.told()):
                self._socket.send_multipart([topic.encode(), json.dumps(body).encode()])
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
