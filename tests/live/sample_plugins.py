"""Plugins for the live tests; each writes what happens to it as lines of JSON into a file."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

from cvec_circus_core import CircusPlugin


class Diary(CircusPlugin):
    """Writes down what it is told, and what its calls give."""

    name = "diary"

    def __init__(self, diary: str, **config: Any) -> None:
        super().__init__(**config)
        self.diary = diary

    def writes(self, what: str, **more: Any) -> None:
        """Add a line."""
        with open(self.diary, "a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")

    def handle_init(self) -> Any:
        """Call already, and begin to tick."""
        self.writes(
            "init",
            config=self.config,
            check_delay=self.check_delay,
            endpoint=self.endpoint,
            numwatchers=self.call("numwatchers")["numwatchers"],
        )
        self.every(0.05, self.tick)

    def tick(self) -> None:
        """Write one line, once."""
        if not getattr(self, "has_ticked", False):
            self.has_ticked = True
            self.writes("tick")

    def handle_recv(self, data: Any) -> Any:
        """Write the event down."""
        watcher, event, message = self.split_data(data)
        self.writes(
            "event",
            watcher=watcher,
            event=event,
            seq=self.load_message(message)["seq"],
            plain=f"{data[0]}".startswith("watcher."),
            decoded=data[0].decode() == data[0],
        )
        if event == "ask":
            name = self.load_message(message)["watcher"]
            self.writes("answer", pids=self.call("list", name=name)["pids"])
            self.cast("announce", name=name, event="asked")

    def handle_stop(self) -> Any:
        """Call for the last time."""
        self.writes("stop", status=self.call("numwatchers")["status"])


class AsyncDiary(Diary):
    """The same with handlers that await."""

    async def handle_init(self) -> None:
        """Await something first."""
        await asyncio.sleep(0)
        super().handle_init()

    async def handle_recv(self, data: Any) -> None:
        """Await the replies."""
        watcher, event, message = self.split_data(data)
        body = self.load_message(message)
        seq = body["seq"]
        self.writes("event", watcher=watcher, event=event, seq=seq, plain=True, decoded=True)
        if event == "ask":
            name = body["watcher"]
            replies = await asyncio.gather(*(self.acall("list", name=name) for _ in range(20)))
            (pids,) = {tuple(reply["pids"]) for reply in replies}
            self.writes("answer", pids=pids)
            self.cast("announce", name=name, event="asked")

    async def handle_stop(self) -> None:
        """Await the last reply."""
        self.writes("stop", status=(await self.acall("numwatchers"))["status"])


class Clumsy(Diary):
    """Fails at every event."""

    def handle_recv(self, data: Any) -> None:
        """Write it down, and fail."""
        self.writes("event", event=self.split_data(data)[1])
        raise RuntimeError("clumsy")


class Dying(Diary):
    """Fails as soon as it has begun, the first two times."""

    def handle_init(self) -> None:
        """Fail, or not."""
        self.writes("init")
        with open(self.diary, encoding="utf-8") as file:
            if len(file.readlines()) < 3:
                raise RuntimeError("dying")


class Sleeping(Diary):
    """Hangs in its first event."""

    def handle_recv(self, data: Any) -> None:
        """Sleep for ever."""
        self.writes("event")
        threading.Event().wait()


class Spinning(Diary):
    """Computes without end in its first event."""

    def handle_recv(self, data: Any) -> None:
        """Spin for as long as a test may take."""
        self.writes("event")
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pass


class Flooding(Diary):
    """Casts as fast as it can from its first event on."""

    def handle_recv(self, data: Any) -> None:
        """Cast, and never come back."""
        self.writes("event")
        end = time.monotonic() + 20
        while time.monotonic() < end:
            self.cast("numwatchers")


class Counting(Diary):
    """Counts events and tells how many there were, four times a second."""

    count = 0

    def handle_init(self) -> None:
        """Begin to tell."""
        self.writes("init")
        self.every(0.25, self.tell)

    def tell(self) -> None:
        """Tell it."""
        self.writes("count", count=self.count)

    def handle_recv(self, data: Any) -> None:
        """Count one."""
        self.load_message(data[1])
        self.count += 1
