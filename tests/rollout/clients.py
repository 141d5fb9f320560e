"""Clients that call without a pause, and remember what went wrong and how long it took."""

from __future__ import annotations

import socket
import threading
import time
from types import TracebackType
from typing import Self

from tests.live.daemon import until

CLIENTS = 3
PATIENCE = 10.0


class Clients:
    """Some threads that connect, read a line, and connect again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(CLIENTS)]
        self.failures: list[str] = []
        self.pids: set[int] = set()
        self.calls = 0
        self.slowest = 0.0

    def _call(self) -> None:
        while not self._stopping.wait(0.005):
            begun = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as connection:
                    line = connection.makefile().readline()
                self.pids.add(int(line))
            except (OSError, ValueError) as error:
                self.failures.append(repr(error))
            self.calls += 1
            self.slowest = max(self.slowest, time.monotonic() - begun)

    def __enter__(self) -> Self:
        for one in self._threads:
            one.start()
        until(lambda: self.calls >= CLIENTS)
        self.slowest = 0.0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        for one in self._threads:
            one.join(PATIENCE + 5)
