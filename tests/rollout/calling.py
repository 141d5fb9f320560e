"""Clients in a process of their own: ``python -m tests.rollout.calling PORT [CLIENTS [PAUSE]]``.

Each connects, reads a line, and connects again; with ``--http``, sends a request and reads the last
line of the answer. For every line of standard input they write what they saw since the last one: a
JSON object with calls, failures and the slowest call in seconds.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from dataclasses import asdict, dataclass, field

PATIENCE = 20.0
CLIENTS = 4
PAUSE = 0.005


@dataclass
class Seen:
    """What some clients saw in a while."""

    calls: int = 0
    slowest: float = 0.0
    failures: list[str] = field(default_factory=list)
    pids: list[int] = field(default_factory=list)


class Callers:
    """Clients that call until their process ends."""

    def __init__(self, port: int, count: int, pause: float, *, http: bool = False) -> None:
        self._http = http
        self._port = port
        self._pause = pause
        self._seen = Seen()
        self._lock = threading.Lock()
        for _ in range(count):
            threading.Thread(target=self._go_on, daemon=True).start()

    def _go_on(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                with socket.create_connection(("127.0.0.1", self._port), PATIENCE) as connection:
                    pid, trouble = int(self._answer(connection)), ""
            except (OSError, ValueError, IndexError) as error:
                pid, trouble = 0, repr(error)
            self._note(time.monotonic() - begun, pid, trouble)
            time.sleep(self._pause)

    def _answer(self, connection: socket.socket) -> str:
        if not self._http:
            return connection.makefile().readline()
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.makefile().read().splitlines()[-1]

    def _note(self, took: float, pid: int, trouble: str) -> None:
        with self._lock:
            seen = self._seen
            seen.calls += 1
            seen.slowest = max(seen.slowest, took)
            if trouble:
                seen.failures.append(trouble)
            elif pid not in seen.pids:
                seen.pids.append(pid)

    def take(self) -> Seen:
        """Return what was seen since the last time."""
        with self._lock:
            seen, self._seen = self._seen, Seen()
        return seen


def main() -> None:
    """Call, and tell when asked."""
    given = [word for word in sys.argv[1:] if word != "--http"]
    words = [*given, *(str(CLIENTS), str(PAUSE))[len(given) - 1 :]]
    http = "--http" in sys.argv
    callers = Callers(int(words[0]), int(words[1]), float(words[2]), http=http)
    for _ in sys.stdin:
        print(json.dumps(asdict(callers.take())), flush=True)


if __name__ == "__main__":
    main()
