"""A whole daemon inside a program, with the surface of the older one.

``start`` blocks, unless a loop runs already or was given, and returns a future in any case.
``loop`` is there from the beginning, and so are ``ctrl`` and the files that were named.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from circus.commands.base import answered
from circus.loop import Loop, of_program
from circus.process import Process
from circus.sockets import CircusSocket
from circus.util import DEFAULT_ENDPOINT_DEALER, DEFAULT_ENDPOINT_SUB
from circus.watcher import Watcher
from cvec_circus_core import Arbiter as _Arbiter
from cvec_circus_core.api import Command, name_key
from cvec_circus_core.embed.home import Home
from cvec_circus_core.embed.portal import running_loop
from cvec_circus_core.embed.watcher import name_from

__all__ = ["Arbiter", "CircusSocket", "Process", "ThreadedArbiter", "Watcher"]

Callback = Callable[[Any], object]


class Controller:
    """What is left of the older object that answered requests."""

    def __init__(self, arbiter: Arbiter) -> None:
        self.arbiter = arbiter
        self.endpoint = arbiter.endpoint
        self.loop: Any = arbiter.loop


class Arbiter(_Arbiter):
    """Keeps watchers running and answers on its endpoints until it is stopped."""

    watcher_class = Watcher

    def __init__(
        self,
        watchers: Iterable[Watcher],
        endpoint: str,
        pubsub_endpoint: str,
        check_delay: float = 1.0,
        prereload_fn: Callable[[Any], object] | None = None,
        context: Any = None,
        loop: object = None,
        statsd: bool = False,
        stats_endpoint: str | None = None,
        **options: Any,
    ) -> None:
        own_watchers = watchers if isinstance(watchers, list) else list(watchers)
        super().__init__(
            own_watchers,
            endpoint,
            pubsub_endpoint,
            check_delay,
            prereload_fn,
            context,
            stats_endpoint=stats_endpoint,
            statsd=statsd,
            sockets=options.pop("sockets", None) or (),
            **options,
        )
        # What the program appends later counts, too.
        self._watchers = own_watchers
        self.endpoint, self.pubsub_endpoint = endpoint, pubsub_endpoint
        self.stats_endpoint, self.check_delay = stats_endpoint, check_delay
        for name in ("pidfile", "loglevel", "logoutput", "loggerconfig", "umask", "proc_name"):
            setattr(self, name, options.get(name))
        self._restarting = False
        self._is_given_loop = loop is not None
        self.loop: Any = loop if loop is not None else Loop()
        self.ctrl = Controller(self)

    def start(self, cb: Callback | None = None) -> Any:
        """Bind the endpoints, start every autostart watcher, and keep them running.

        Blocks until it is stopped, and returns a future that is done; in a loop that runs, or with
        one that was given, the future is done once it has started. ``cb`` is called with it then.
        """
        self._start_callback = cb
        if (running := running_loop()) is not None:
            self.loop = self.loop if self._is_given_loop else Loop(running)
            return super().start()
        loop = of_program(self._ensure_ioloop())
        if self._is_given_loop:
            return loop.create_task(self._begin())
        self._make_loop = lambda: loop
        super().start()
        future: asyncio.Future[bool] = asyncio.Future(loop=asyncio.new_event_loop())
        future.set_result(False)
        future.get_loop().close()
        return future

    async def _begin(self) -> object:
        return await _Arbiter.start(self)

    def _ensure_ioloop(self) -> object:
        """Return the loop, another one where the last was closed."""
        if self.loop is None or of_program(self.loop).is_closed():
            self.loop, self._is_given_loop = Loop(), False
        return self.loop

    async def _emergency_stop(self) -> None:
        """Stop everything, at once."""
        if self.running:
            await _Arbiter.stop(self)

    def _commands(self) -> Mapping[str, Command]:
        return {**super()._commands(), **answered(self)}

    async def _settle(self, home: Home) -> None:
        await super()._settle(home)
        if self._start_callback is not None:
            future = home.portal.loop.create_future()
            future.set_result(None)
            self._start_callback(future)
        self._look_at_list(home)

    def _look_at_list(self, home: Home) -> None:
        # The list is the program's: it tells nobody when something is appended.
        self._take_appended(home)
        home.portal.loop.call_later(max(self.check_delay, 0.1), self._look_at_list, home)

    def _take_appended(self, home: Home) -> None:
        names = {name_key(actor.name) for actor in home.engine.supervisor.actors()}
        for watcher in self._watchers:
            if name_key(watcher.name) not in names:
                watcher.attach(home, self._spec.umask)
                if watcher.spec.autostart:
                    watcher.start()

    @property
    def watchers(self) -> list[Any]:
        """All watchers: the list that the program gave, and others beside it."""
        home = self._home
        if home is not None:
            home.ask(lambda: self._take_appended(home))
            present = home.ask(home.engine.supervisor.actors)
            by_key = {name_key(actor.name): actor for actor in present}
            self._watchers[:] = [
                watcher for watcher in self._watchers if name_key(watcher.name) in by_key
            ]
            known = {name_key(watcher.name) for watcher in self._watchers}
            self._watchers.extend(
                Watcher.of(actor.spec, home) for key, actor in by_key.items() if key not in known
            )
        return self._watchers

    def get_socket(self, name: str) -> CircusSocket:
        """Return a managed socket by its name. Raises KeyError."""
        return {socket.name: socket for socket in self._sockets}[name.lower()]

    @property
    def sockets(self) -> dict[str, CircusSocket]:
        """The managed sockets by name."""
        return {socket.name: socket for socket in self._sockets}

    def start_watcher(self, watcher: Watcher) -> Any:
        """Start one watcher."""
        return watcher.start()

    def reap_processes(self) -> None:
        """Do nothing: ends are answered when they happen."""

    manage_watchers = reap_processes
    initialize = reap_processes


class ThreadedArbiter(threading.Thread, Arbiter):
    """An arbiter in a thread of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        threading.Thread.__init__(self, name="circus-arbiter")
        Arbiter.__init__(self, *args, **options)
        self._callback: Callback | None = None

    def start(self, cb: Callback | None = None) -> None:
        """Start it; returns at once."""
        self._callback = cb
        threading.Thread.start(self)

    def run(self) -> None:
        """Live in the thread."""
        Arbiter.start(self, self._callback)

    def stop(self) -> Any:
        """Stop it; outside the thread this waits for its end."""
        stopped = Arbiter.stop(self)
        if threading.current_thread() is not self:
            self.join()
        return stopped


def make_arbiter(
    watchers: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    controller: str | None = None,
    pubsub_endpoint: str | None = None,
    statsd: bool = False,
    stats_endpoint: str | None = None,
    statsd_close_outputs: bool = False,
    multicast_endpoint: str | None = None,
    env: Mapping[str, str] | None = None,
    name: str | None = None,
    context: Any = None,
    background: bool = False,
    stream_backend: str = "thread",
    httpd: bool = False,
    plugins: Iterable[Mapping[str, Any]] | None = None,
    debug: bool = False,
    proc_name: str = "circusd",
    loop: object = None,
    check_delay: float = 1.0,
    **options: Any,
) -> Arbiter:
    """Make an arbiter for a list of mappings; see `circus.get_arbiter`."""
    described = [watchers] if isinstance(watchers, Mapping) else list(watchers)
    made = []
    for mapping in described:
        rest = {"stream_backend": stream_backend, **mapping}
        cmd = rest.pop("cmd")
        made.append(Watcher(rest.pop("name", None) or name_from(cmd), cmd, **rest))
    kind = ThreadedArbiter if background else Arbiter
    return kind(
        made,
        controller or DEFAULT_ENDPOINT_DEALER,
        pubsub_endpoint or DEFAULT_ENDPOINT_SUB,
        check_delay=check_delay,
        context=context,
        loop=loop,
        statsd=statsd or stats_endpoint is not None,
        stats_endpoint=stats_endpoint,
        statsd_close_outputs=statsd_close_outputs,
        multicast_endpoint=multicast_endpoint,
        httpd=httpd,
        plugins=plugins,
        debug=debug,
        proc_name=proc_name,
        **options,
    )
