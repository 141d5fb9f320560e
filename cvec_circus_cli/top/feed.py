"""The threads that listen: one to the stream, one that asks the control endpoint how all fare.

ZeroMQ connects again by itself when a daemon comes back; what is left to do is to notice that
nobody talks. The stream tells of something about once a second, however idle the daemon is, so a
silence that is longer than that says it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from cvec_circus_cli.top.ledger import Ledger
from cvec_circus_cli.top.snapshot import Link, Snapshot, read_healths
from cvec_circus_core import api
from cvec_circus_plugins.questions import health

if TYPE_CHECKING:
    from cvec_circus_core.api import CircusClient, CircusConsumer

PATIENCE = 3.0
"""Seconds of silence that are nothing strange, where the stream is not slower than that itself."""
PATIENCE_AT_FIRST = 15.0
"""The same while it is not known how slow the stream is."""
_LOOK_UP = 0.2
_GAPS = 2.5
_ASK_EVERY = 2.0


class Feed:
    """What was heard so far, kept up to date by a thread."""

    def __init__(
        self,
        consumer: CircusConsumer,
        ledger: Ledger,
        clock: Callable[[], float] = lambda: api.SystemClock().now(),
    ) -> None:
        self.endpoint = consumer.endpoint
        self._consumer = consumer
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._stopped = threading.Event()
        self._heard_at = clock()
        self._gap: float | None = None
        """Seconds between two rounds, once there were two."""
        self._begun_at: float | None = None
        self._thread = threading.Thread(target=self._listen, name="stream", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        self._stopped.set()
        self._thread.join()

    def look(self) -> tuple[Snapshot, Link]:
        """Return what is known, and how it stands with the endpoint."""
        with self._lock:
            snapshot = self._ledger.snapshot()
            silent = self._clock() - self._heard_at
            patience = self._patience()
        return snapshot, Link(self.endpoint, silent if silent > patience else None)

    def wait_rounds(self, count: int, timeout: float) -> bool:
        """Wait until so many rounds are over; return False where that takes longer."""
        deadline = api.Deadline(timeout)
        while deadline.left():
            with self._lock:
                if self._ledger.rounds > count:
                    return True
                self._news.clear()
            self._news.wait(min(_LOOK_UP, deadline.left()))
        return False

    def wait_quiet(self, seconds: float, limit: float) -> None:
        """Wait until nothing has come for a moment, so that a round is whole; not for ever."""
        deadline = api.Deadline(limit)
        while deadline.left():
            self._news.clear()
            if not self._news.wait(seconds):
                return

    def pause(self, seconds: float) -> None:
        """Let some time go by, unless it is all over."""
        self._stopped.wait(seconds)

    def learn(self, reply: Mapping[str, Any]) -> None:
        """Take what ``status`` answered."""
        healths = read_healths(reply)
        with self._lock:
            self._ledger.healths = healths

    def _listen(self) -> None:
        with self._consumer as consumer:
            while not self._stopped.is_set():
                received = consumer.receive(_LOOK_UP)
                if received is not None:
                    self._take(*received)

    def _take(self, topic: bytes, body: bytes) -> None:
        now = self._clock()
        try:
            content = json.loads(body)
            with self._lock:
                rounds = self._ledger.rounds
                name = topic.decode(errors="replace")
                # A clock that is set back must not keep what is gone in the picture.
                self._ledger.take(name, content, now, api.unix_time())
                if self._ledger.rounds > rounds:
                    self._round_began(now)
                self._heard_at = now
        except (ValueError, RecursionError):
            return
        self._news.set()

    def _round_began(self, now: float) -> None:
        # A silence in which the daemon was away is no sign of a slow stream; the first one may be.
        if self._begun_at is not None and (
            self._gap is None or now - self._heard_at <= self._patience()
        ):
            self._gap = now - self._begun_at
        self._begun_at = now

    def _patience(self) -> float:
        return PATIENCE_AT_FIRST if self._gap is None else max(PATIENCE, _GAPS * self._gap)


def _call(client: CircusClient, command: str, properties: Mapping[str, Any]) -> Mapping[str, Any]:
    return client.send_message(command, **properties)


class Inquirer:
    """Asks again and again how the watchers fare, and forgets it where nobody answers."""

    def __init__(
        self, client: api.CircusClient, learn: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._client = client
        self._learn = learn
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="status", daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        self._thread.join()

    def _ask(self) -> None:
        with self._client as client:
            while True:
                try:
                    self._learn(health(partial(_call, client)))
                except api.CallError:
                    self._learn({})
                if self._stopped.wait(_ASK_EVERY):
                    return
