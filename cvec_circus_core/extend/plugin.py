"""The class that plugins derive from.

A plugin hears every event of a daemon and may send it commands::

    class Logger(CircusPlugin):
        name = "logger"

        def __init__(self, filename, **kwargs):
            super().__init__(**kwargs)
            self.filename = filename

        def handle_init(self):
            self.file = open(self.filename, "a")

        def handle_recv(self, data):
            topic, message = data
            self.file.write(f"{topic}::{message}\\n")

        def handle_stop(self):
            self.file.close()

Where it runs is not its business: in a process of its own, or in a thread of the daemon. Its host
makes it, gives it a link to the daemon (`attach`) and calls ``start``, which runs an event loop in
that thread until ``stop``. Handlers are called in this loop one at a time, in the order of events,
and may be ordinary methods or ``async def``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from cvec_circus_core.extend.plugin_event_loop import PluginEventLoop
from cvec_circus_core.extend.plugin_loop import Link, Periodic, log, run
from cvec_circus_core.extend.plugin_settings import read_settings
from cvec_circus_core.model.errors import CallError, ConfigError
from cvec_circus_core.model.values import JsonValue

Message = TypeVar("Message")

_EVENTS = "watcher."
_NO = frozenset({"false", "no", "off", "0", ""})


class CircusPlugin:
    """Base of all plugins; `handle_recv` must be there, the other handlers may.

    ``config`` holds the options: texts, where they come from a file. Options that a subclass names
    in its constructor do not have to be passed on. ``settings`` holds their values, where the class
    declares its options.
    """

    name: ClassVar[str] = ""
    timeout: ClassVar[float] = 30.0
    """Seconds that a call waits for its reply."""
    topics: ClassVar[tuple[str, ...]] = (_EVENTS,)
    """What is listened to: beginnings of topics."""
    kinds: ClassVar[frozenset[str] | None] = None
    """Which events, by the last word of the topic, where not all of them are of use."""
    settings_type: ClassVar[type[Any] | None] = None
    """A dataclass of declared options (`plugin_settings.py`), where there is one."""

    settings: Any = None
    context: Any = None
    client: Any = None
    sub_socket: Any = None
    live_loop: asyncio.AbstractEventLoop | None = None
    """The loop, while it runs."""
    running = False
    _own_loop: PluginEventLoop | None = None
    _link: Link | None = None
    _stopping = False

    def __init__(
        self,
        endpoint: str,
        pubsub_endpoint: str,
        check_delay: float,
        ssh_server: str | None = None,
        **config: object,
    ) -> None:
        self.endpoint = endpoint
        self.pubsub_endpoint = pubsub_endpoint
        self.check_delay = check_delay
        self.ssh_server = ssh_server
        self.config = config
        self.active = str(config.get("active", True)).strip().lower() not in _NO
        if self.settings_type is not None:
            self.settings = read_settings(
                self.settings_type, config, self.name or type(self).__name__
            )
        self.handle_config()

    @property
    def loop(self) -> PluginEventLoop:
        """The plugin's event loop, also before it runs."""
        if self._own_loop is None:
            self._own_loop = PluginEventLoop()
        return self._own_loop

    @loop.setter
    def loop(self, loop: PluginEventLoop) -> None:
        self._own_loop = loop

    def call(self, command: str, /, **props: JsonValue) -> dict[str, Any]:
        """Send a command and wait for its reply, an error reply like any other.

        Events wait meanwhile. It may be called in handlers, and in other threads of the plugin.
        Raises `CallError` where the reply does not come within ``timeout`` seconds.
        """
        return self._linked.call({"command": command, "properties": props})

    async def acall(self, command: str, /, **props: JsonValue) -> dict[str, Any]:
        """Send a command and await its reply; for ``async def`` handlers."""
        return await self._linked.acall({"command": command, "properties": props})

    async def ask(self, command: str, /, **props: JsonValue) -> dict[str, Any]:
        """Do the same, and say in the log why nothing came of it; such a reply's status is error.

        For plugins that go on all the same.
        """
        try:
            reply = await self.acall(command, **props)
        except CallError as error:
            reply = {"status": "error", "reason": str(error)}
        if reply.get("status") == "error":
            log.info("%s: %s: %s", self.name, command, reply.get("reason"))
        return reply

    def cast(self, command: str, /, **props: JsonValue) -> None:
        """Send a command and want no reply. The daemon's log says where it was refused."""
        self._linked.call({"command": command, "properties": props, "msg_type": "cast"})

    def handle_config(self) -> None:
        """Called at the end of the constructor, when ``config`` and ``settings`` are there.

        It may raise `ConfigError` where options do not fit together.
        """

    def initialize(self) -> object:
        """Called in the plugin's own loop right after `handle_init`, for older plugins."""

    def handle_init(self) -> object:
        """Called in the plugin's own loop before the first event; `call` works already."""

    def handle_recv(self, data: tuple[str, str]) -> object:
        """Called for every event with a pair: its topic, and its body as JSON text."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_recv()")

    def handle_stop(self) -> object:
        """Called right before the plugin is stopped."""

    def every(self, seconds: float, fn: Callable[[], Any]) -> Periodic:
        """Call a function, which may be ``async def``, again and again until the plugin stops.

        Call this in handlers or in the constructor; the first time comes after ``seconds``.
        """
        return Periodic(self, seconds, fn)

    @staticmethod
    def split_data(data: tuple[str | bytes, Message]) -> tuple[str, str, Message]:
        """Return the watcher as in the topic, the event, and the message, from what handlers get.

        A dot in a watcher's name does no harm. The name as it was written stands in the message.
        """
        topic, message = data
        text = topic.decode() if isinstance(topic, bytes) else str(topic)
        watcher, _, event = text.removeprefix(_EVENTS).rpartition(".")
        return watcher, event, message

    @staticmethod
    def load_message(msg: str | bytes) -> dict[str, Any]:
        """Return the JSON object in a message."""
        body: dict[str, Any] = json.loads(msg)
        return body

    def start(self) -> None:
        """Run in this thread until it is stopped. Called by the host."""
        if not self.active:
            raise ConfigError(f"plugin {self.name or type(self).__name__} is not active")
        link = self._linked
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(run(self, link))

    def stop(self) -> None:
        """Stop it; from any thread."""
        self._stopping = True
        loop = self.live_loop
        if loop is not None and not loop.is_closed():
            try:
                loop.call_soon_threadsafe(self._linked.wake)
            except RuntimeError:
                return  # The loop was closed meanwhile.

    @property
    def _linked(self) -> Link:
        if self._link is None:
            raise ConfigError(
                f"plugin {type(self).__name__} is linked to no daemon: a host has to run it"
            )
        return self._link


def attach(plugin: CircusPlugin, link: Link) -> None:
    """Give a plugin the link by which it reaches its daemon; a host does so before ``start``."""
    plugin._link = link
