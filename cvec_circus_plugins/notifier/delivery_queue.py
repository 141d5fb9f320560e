"""The queue before one receiver, and the attempts to get its messages through."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from cvec_circus_core.api import escaped
from cvec_circus_plugins._bounded_thread import BoundedThread
from cvec_circus_plugins.notifier.message import Message
from cvec_circus_plugins.notifier.receivers import PermanentFailure, Receiver, TemporaryFailure
from cvec_circus_plugins.notifier.settings import NotifierSettings

log = logging.getLogger("circus.plugins.notifier")

LONGEST_PAUSE = 60.0


class DeliveryQueue:
    """Sends what is put into it, one after the other, each a bounded number of times."""

    def __init__(self, receiver: Receiver, settings: NotifierSettings) -> None:
        self._receiver = receiver
        self._settings = settings
        self._waiting: asyncio.Queue[Message] = asyncio.Queue(settings.queue)
        self._thread = BoundedThread(f"notifier {receiver.name}")
        self._dropped = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send; belongs to a running loop."""
        self._task = asyncio.create_task(self._run(), name=f"notifier {self._receiver.name}")

    def put(self, message: Message) -> None:
        """Let a message wait for its turn; where too many wait, throw it away."""
        try:
            self._waiting.put_nowait(message)
        except asyncio.QueueFull:
            if not self._dropped:
                log.warning(
                    "notifier: %s: %d messages wait, more are thrown away",
                    *(self._receiver.name, self._settings.queue),
                )
            self._dropped += 1

    async def close(self, seconds: float) -> None:
        """Send what waits, for so many seconds at most."""
        try:
            async with asyncio.timeout(seconds):
                await self._waiting.join()
        except TimeoutError:
            log.warning("notifier: %s: not everything was sent at the end", self._receiver.name)
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            message = await self._waiting.get()
            try:
                await self._deliver(message)
            except Exception:
                log.exception("notifier: %s: %s failed", self._receiver.name, message.topic)
            self._waiting.task_done()
            if self._dropped and self._waiting.empty():
                log.warning(
                    "notifier: %s: %d messages were thrown away",
                    *(self._receiver.name, self._dropped),
                )
                self._dropped = 0

    async def _deliver(self, message: Message) -> None:
        name, pause = self._receiver.name, self._settings.retry_pause
        for attempts_left in range(self._settings.retries, -1, -1):
            try:
                await self._thread.run(
                    partial(self._receiver.send, message), self._settings.timeout
                )
                return
            except PermanentFailure as error:
                log.error("notifier: %s: %s is not taken: %s", name, message.topic, error)
                return
            except TimeoutError:
                why = f"no answer within {self._settings.timeout:g} s"
            except (TemporaryFailure, OSError) as error:
                why = escaped((getattr(error, "strerror", None) or str(error)).lower())
            if attempts_left:
                log.warning("notifier: %s: %s; trying again in %.3g s", name, why, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                log.error("notifier: %s: %s is given up: %s", name, message.topic, why)
