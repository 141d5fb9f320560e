"""The life of one plugin in its own event loop: init, events one after the other, stop.

The link is what a host gives: it alone knows by which means the daemon is reached. What a handler
raises is written to the log and costs that one event; the plugin goes on.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Protocol

from cvec_circus_core.model.socket_specs import PLUGIN_STOP_GRACE

log = logging.getLogger("circus.plugins")

AT_ONCE = 64
"""Events that are handled before timers and others have their turn."""

_COMPLAINT_PAUSE = 1.0
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Link(Protocol):
    """How a plugin reaches its daemon; all but `call` belongs to the plugin's loop."""

    context: Any
    client: Any
    sub_socket: Any

    def open(self, topics: tuple[str, ...], kinds: frozenset[str] | None, timeout: float) -> None:
        """Connect, and subscribe."""

    def call(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and wait for the reply; from any thread. Raises `CallError`."""

    async def acall(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and await the reply. Raises `CallError`."""

    async def receive(self) -> tuple[str, str] | None:
        """Return the next event, topic and body, or None after `wake`."""

    def wake(self) -> None:
        """Let `receive` return None, at once and from now on."""

    async def close(self) -> None:
        """Close the connections, when what was said last is on its way."""


class Hosted(Protocol):
    """What the loop asks of a plugin."""

    name: ClassVar[str]
    topics: ClassVar[tuple[str, ...]]
    kinds: ClassVar[frozenset[str] | None]
    timeout: ClassVar[float]
    context: Any
    client: Any
    sub_socket: Any
    live_loop: asyncio.AbstractEventLoop | None
    running: bool
    _stopping: bool

    def handle_init(self) -> object: ...
    def initialize(self) -> object: ...
    def handle_recv(self, data: tuple[str, str]) -> object: ...
    def handle_stop(self) -> object: ...
    def stop(self) -> None: ...


class Stoppable(Hosted, Protocol):
    """A plugin that has its link."""

    _link: Link | None


class EventText(str):
    """A text that also has the ``decode`` of bytes, for classes that expect those."""

    __slots__ = ()

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the text."""
        return str(self)


class Periodic:
    """A function that is called again and again, until it or the plugin is stopped."""

    def __init__(self, plugin: Hosted, seconds: float, fn: Callable[[], Any]) -> None:
        self._plugin = plugin
        self._seconds = seconds
        self._fn = fn
        self._task: asyncio.Task[None] | None = None
        _periodics(plugin).append(self)
        if plugin.live_loop is not None:
            self.begin(plugin.live_loop)

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to count the seconds."""
        self._task = loop.create_task(self._run(loop), name="plugin periodic")

    def stop(self) -> None:
        """Call it no more."""
        _periodics(self._plugin).remove(self)
        if self._task is not None:
            self._task.cancel()

    async def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        complaints = Complaints(_name(self._plugin), loop)
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await finished(self._fn())
            except Exception:
                complaints.tell(getattr(self._fn, "__name__", "a periodic function"))


class Complaints:
    """Writes what handlers raise to the log, once a second at most: events may come fast."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._name = name
        self._loop = loop
        self._quiet_until = 0.0
        self._unsaid = 0

    def tell(self, where: str) -> None:
        """Write the exception that is being handled."""
        now = self._loop.time()
        if now < self._quiet_until:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} failures before were not told)" if self._unsaid else ""
        log.exception("plugin %s failed in %s%s; it goes on", self._name, where, more)
        self._quiet_until, self._unsaid = now + _COMPLAINT_PAUSE, 0


async def run(plugin: Stoppable, link: Link) -> None:
    """Run a plugin until it is stopped. Raises what its handle_init raises."""
    loop = plugin.live_loop = asyncio.get_running_loop()
    _hear_signals(plugin, loop)
    link.open(tuple(plugin.topics), plugin.kinds, plugin.timeout)
    plugin.context, plugin.client, plugin.sub_socket = link.context, link.client, link.sub_socket
    try:
        await finished(plugin.handle_init())
        await finished(plugin.initialize())
        for periodic in _periodics(plugin):
            if periodic._task is None:
                periodic.begin(loop)
        plugin.running = True
        try:
            await _listen(plugin, link, Complaints(_name(plugin), loop))
        finally:
            plugin.running = False
            for periodic in tuple(_periodics(plugin)):
                periodic.stop()
            await _finish(plugin)
    finally:
        await link.close()


def request_stop(plugin: Stoppable) -> None:
    """Stop a plugin, from any thread; its own ``stop`` is called, but not relied on."""
    plugin._stopping = True
    loop = plugin.live_loop
    if loop is not None and not loop.is_closed():
        try:
            loop.call_soon_threadsafe(_stop_in_loop, plugin)
        except RuntimeError:
            return  # The loop was closed meanwhile.


def _stop_in_loop(plugin: Stoppable) -> None:
    try:
        plugin.stop()
    except Exception:
        log.exception("plugin %s failed in stop; it is stopped all the same", _name(plugin))
    finally:
        plugin._stopping = True
        if plugin._link is not None:
            plugin._link.wake()


async def _finish(plugin: Hosted) -> None:
    """Call handle_stop, whose failure must not keep anything from ending."""
    try:
        async with asyncio.timeout(PLUGIN_STOP_GRACE):
            await finished(plugin.handle_stop())
    except TimeoutError:
        log.warning(
            "plugin %s: handle_stop does not end within %g s; it is broken off",
            *(_name(plugin), PLUGIN_STOP_GRACE),
        )
    except Exception:
        log.exception("plugin %s failed in handle_stop; it has stopped all the same", _name(plugin))


async def finished(result: object) -> object:
    """Return what a handler gave, awaiting it where that is needed."""
    return await result if isinstance(result, Awaitable) else result


async def _listen(plugin: Hosted, link: Link, complaints: Complaints) -> None:
    handled = 0
    while not plugin._stopping and (event := await link.receive()) is not None:
        try:
            result = plugin.handle_recv((EventText(event[0]), EventText(event[1])))
            if result is not None and inspect.isawaitable(result):
                await result
        except Exception:
            complaints.tell("handle_recv")
        handled += 1
        if handled % AT_ONCE == 0:
            await asyncio.sleep(0)


def _hear_signals(plugin: Stoppable, loop: asyncio.AbstractEventLoop) -> None:
    # In a thread of the daemon, signals are the daemon's business.
    if threading.current_thread() is threading.main_thread():
        for signum in _STOPPING:
            loop.add_signal_handler(signum, request_stop, plugin)


def _periodics(plugin: object) -> list[Periodic]:
    periodics: list[Periodic] = vars(plugin).setdefault("_periodic", [])
    return periodics


def _name(plugin: Hosted) -> str:
    return str(plugin.name or type(plugin).__name__)
