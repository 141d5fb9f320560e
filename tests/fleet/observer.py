"""Who held which slot when: what the processes of a fleet that run once tell, and how they end.

Each has a connection to the observer, which ends with the process. Of what comes at the same time,
ends are read first: a process that begins after another has ended is never taken for a second one.
"""

from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Life:
    """One process of a slot."""

    slot: str
    host: str
    fence: int
    pid: int
    is_alone: bool
    """Whether it had the lock of the slot at once."""
    began_at: float
    ended_at: float | None = None


class Observer:
    """Listens to the processes of all slots, in a thread."""

    def __init__(self, address: Path) -> None:
        self.address = address
        self.lives: list[Life] = []
        self.violations: list[str] = []
        self._alive: dict[str, Life] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(address))
        self._listener.listen(64)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ours, self._wake = socket.socketpair()
        self._selector.register(self._ours, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="observer")
        self._thread.start()

    def holders(self) -> dict[str, Life]:
        """Return who holds each slot now."""
        return dict(self._alive)

    def close(self) -> None:
        """End the thread."""
        self._wake.send(b"x")
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        while True:
            ready = [key for key, _ in self._selector.select()]
            now = time.monotonic()
            if any(key.fileobj is self._ours for key in ready):
                return
            for key in ready:
                if key.data is not None and not key.fileobj.recv(1):  # type: ignore[union-attr]
                    self._end(key.data, now)
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()  # type: ignore[union-attr]
            if any(key.fileobj is self._listener for key in ready):
                connection, _ = self._listener.accept()
                life = _introduction(connection, now)
                if life is not None:
                    self._selector.register(connection, selectors.EVENT_READ, life)
                    self._begin(life)

    def _begin(self, life: Life) -> None:
        self.lives.append(life)
        other = self._alive.get(life.slot)
        if other is not None or not life.is_alone:
            self.violations.append(f"{life} beside {other}")
        earlier = [known.fence for known in self.lives[:-1] if known.slot == life.slot]
        # A process that is started anew under the same claim has its fence.
        if earlier and life.fence < max(earlier):
            self.violations.append(f"{life} has a fence below {max(earlier)}")
        self._alive[life.slot] = life

    def _end(self, life: Life, now: float) -> None:
        life.ended_at = now
        if self._alive.get(life.slot) is life:
            del self._alive[life.slot]


def _introduction(connection: socket.socket, now: float) -> Life | None:
    """Return who connects; None where it was killed before it could say so."""
    text = b"".join(_pieces(connection))
    if not text.endswith(b"\n"):
        connection.close()
        return None
    return Life(**json.loads(text), began_at=now)


def _pieces(connection: socket.socket) -> Iterator[bytes]:
    while piece := connection.recv(4096):
        yield piece
        if piece.endswith(b"\n"):
            return
