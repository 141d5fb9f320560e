"""The plugin: takes events in, and passes on those that are to be told."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, ClassVar

from cvec_circus_core.api import CircusPlugin
from cvec_circus_plugins.notifier.delivery_queue import DeliveryQueue
from cvec_circus_plugins.notifier.event_filter import EventFilter, RateLimit
from cvec_circus_plugins.notifier.message import LEFT_OUT, Message
from cvec_circus_plugins.notifier.receivers import Mail, Receiver, Webhook
from cvec_circus_plugins.notifier.settings import NotifierSettings, completed

STOP_GRACE = 1.5
"""Seconds that messages have at the end; a plugin that is stopped should not stay."""


class Notifier(CircusPlugin):
    """Tells people what happens: by webhook (``url``), by mail (``mail_to``), or by both.

    ``events``, ``watchers`` and ``reasons`` choose the events; patterns have ``*`` and ``?``. Not
    more than ``at_most`` messages are sent within ``per`` seconds; how many events were left out is
    told with the next one, or by itself. What can not be sent is tried again ``retries`` times and
    then given up, and the log says so.

    Templates may name ``$watcher``, ``$event``, ``$time``, ``$host``, ``$summary`` (one line),
    ``$details`` (a line per fact), ``$left_out``, and every key of the event, such as
    ``$process_pid``, ``$exit_code`` and ``$reason``; ``$$`` is a dollar sign. In a body of the type
    application/json they are written as JSON texts are.
    """

    name = "notifier"
    settings_type: ClassVar[type[NotifierSettings]] = NotifierSettings
    settings: NotifierSettings

    def handle_config(self) -> None:
        """Read the password. Raises `ConfigError`."""
        self.settings = settings = completed(self.settings)
        self._filter = EventFilter(settings.events, settings.watchers, settings.reasons)
        self._rate_limit = RateLimit(settings.at_most, settings.per)
        self._host = socket.gethostname()
        self._queues: list[DeliveryQueue] = []
        self._reminder: asyncio.TimerHandle | None = None

    def handle_init(self) -> None:
        """Begin to send."""
        receivers: list[Receiver] = []
        if self.settings.url is not None:
            receivers.append(Webhook(self.settings))
        if self.settings.mail_to:
            receivers.append(Mail(self.settings))
        self._queues = [DeliveryQueue(receiver, self.settings) for receiver in receivers]
        for queue in self._queues:
            queue.start()

    def handle_recv(self, data: tuple[str, str]) -> None:
        """Take in one event."""
        watcher, event, message = self.split_data(data)
        body = self.load_message(message)
        name = body.get("watcher") or watcher
        if not self._filter.matches(name, event, body):
            return
        loop = asyncio.get_running_loop()
        if self._rate_limit.admit(loop.time()):
            self._send(name, event, body)
        elif self._reminder is None:
            self._reminder = loop.call_at(self._rate_limit.next_free_at(loop.time()), self._remind)

    async def handle_stop(self) -> None:
        """Send what waits, for a moment."""
        if self._reminder is not None:
            self._reminder.cancel()
        if self._rate_limit.left_out:
            self._send("", LEFT_OUT, {})
        await asyncio.gather(*(queue.close(STOP_GRACE) for queue in self._queues))

    def _remind(self) -> None:
        self._reminder = None
        if not self._rate_limit.left_out:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._rate_limit.next_free_at(now) > now:
            self._reminder = loop.call_at(self._rate_limit.next_free_at(now), self._remind)
        elif self._rate_limit.admit(now):
            self._send("", LEFT_OUT, {})

    def _send(self, watcher: str, event: str, body: dict[str, Any]) -> None:
        message = Message(watcher, event, body, self._host, self._rate_limit.take_left_out())
        for queue in self._queues:
            queue.put(message)
