"""Plugins that do not end as they should, each in the way that its option names."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from cvec_circus_core import CircusPlugin

FOR_EVER = 1000.0
MODULE = __name__


class Stubborn(CircusPlugin):
    """Stops, or does not, as the option ``way`` says."""

    name = "stubborn"

    async def handle_init(self) -> None:
        """Say in the log that it runs, and hang at once where that is the way."""
        await self.acall("announce", name="w", event="stubborn_is_up")
        if self.config["way"] == "handler sleeps":
            threading.Timer(0.0, self._block_loop).start()

    def _block_loop(self) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(time.sleep, FOR_EVER)

    def handle_recv(self, data: Any) -> None:
        """Let events pass."""

    def stop(self) -> None:
        """Stop as the way is."""
        if self.config["way"] == "stop raises":
            raise RuntimeError("no")
        if self.config["way"] == "stop sleeps":
            time.sleep(FOR_EVER)
        super().stop()

    async def handle_stop(self) -> None:
        """Come to an end as the way is."""
        match self.config["way"]:
            case "handle_stop raises":
                raise RuntimeError("no")
            case "handle_stop sleeps":
                time.sleep(FOR_EVER)  # noqa: ASYNC251 - that is the point
            case "handle_stop waits":
                await asyncio.sleep(FOR_EVER)
            case "handle_stop threads":
                await asyncio.to_thread(time.sleep, FOR_EVER)


class Idle(CircusPlugin):
    """Sends a command for each event that it hears."""

    name = "idle"

    def handle_recv(self, data: Any) -> None:
        """Stop what has been started, or is to go."""
        watcher, event, _ = self.split_data(data)
        if event in ("start", "go"):
            self.cast("stop", name=watcher)
