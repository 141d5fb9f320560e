"""Plugins inside the daemon: each in a thread and an event loop of its own, linked over inproc.

A plugin that fails is made anew after a pause, as its process would be. One that hangs can not be
stopped, only left behind: then the ZeroMQ context, of which it may hold a socket, must not be ended
(`close` says so).
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import zmq

from cvec_circus_core.extend.plugin import CircusPlugin, attach
from cvec_circus_core.extend.plugin_loop import request_stop
from cvec_circus_core.hosting.classes import PluginFacts, find_class, make
from cvec_circus_core.hosting.link import InsideLink, Leave, Listen
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.views import PluginView

log = logging.getLogger(__name__)

PLUGIN_THREAD = "plugin:"
"""How the name of a plugin's thread begins."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0

_SWITCH_INTERVAL = 0.0005
"""Seconds that a thread may keep the interpreter while another one waits for it. The daemon waits
so long for each step of an answer while a plugin computes; Python's own 5 ms would be felt."""

Ears = tuple[Listen, Leave]
"""How one hears the events of the daemon by a name, and hears no more."""


class PluginThread:
    """One plugin in its thread."""

    def __init__(
        self,
        spec: PluginSpec,
        facts: PluginFacts,
        link: Callable[[], InsideLink],
        begin: Callable[[], None],
    ) -> None:
        self.spec = spec
        self._begin = begin
        self._facts = facts
        self._link = link
        self._plugin: CircusPlugin | None = None
        self._stopping = threading.Event()
        self._trouble: str | None = None
        self.thread = threading.Thread(
            target=self._work, name=f"{PLUGIN_THREAD}{spec.name}", daemon=True
        )
        self.thread.start()

    def view(self) -> PluginView:
        """Return how it fares."""
        running = self._plugin is not None and self._plugin.running
        state = "running" if running else "failed" if self._trouble else "starting"
        return PluginView(self.spec.name, self.spec.use, "thread", state, self._trouble)

    def stop(self) -> None:
        """Let it end; returns at once."""
        self._stopping.set()
        if self._plugin is not None:
            request_stop(self._plugin)

    def _work(self) -> None:
        self._begin()
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                self._run()
            except ConfigError as error:
                self._trouble = str(error)
                log.error("plugin %s does not run: %s", self.spec.name, error)
                return
            except BaseException as error:  # also SystemExit: a plugin may not end the daemon
                self._trouble = f"{type(error).__name__}: {error}"
                log.exception(
                    "plugin %s failed; it is started again in %g s", self.spec.name, pause
                )
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE)

    def _run(self) -> None:
        plugin = make(find_class(self.spec.use), self._facts, self.spec.options)
        if not isinstance(plugin, CircusPlugin):
            kind = f"{type(plugin).__module__}.{type(plugin).__qualname__}"
            raise ConfigError(f"{kind} is no plugin of this version; only isolated ones may be")
        attach(plugin, self._link())
        self._plugin = plugin
        if self._stopping.is_set():
            return
        try:
            plugin.start()
        finally:
            self._plugin = None
        if not self._stopping.is_set():
            log.warning("plugin %s has ended by itself", self.spec.name)
            self._stopping.set()


class PluginThreads:
    """All plugins that run inside one daemon; each thread calls ``begin`` at first."""

    def __init__(
        self,
        context: zmq.Context[Any],
        endpoint: str,
        facts: PluginFacts,
        ears: Ears,
        begin: Callable[[], None],
    ) -> None:
        self._begin = begin
        self._context = context
        self._endpoint = endpoint
        self._facts = facts
        self._ears = ears
        self._threads: dict[str, PluginThread] = {}
        self._leaving: list[PluginThread] = []

    def want(self, specs: Iterable[PluginSpec]) -> None:
        """Run exactly these from now on; those that are not changed go on."""
        by_name = {spec.name: spec for spec in specs}
        for name, running in tuple(self._threads.items()):
            if by_name.get(name) != running.spec:
                running.stop()
                self._leaving.append(self._threads.pop(name))
        self._leaving = [thread for thread in self._leaving if thread.thread.is_alive()]
        for name, spec in by_name.items():
            if name not in self._threads:
                sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_INTERVAL))
                link = partial(self._link, name)
                self._threads[name] = PluginThread(spec, self._facts, link, self._begin)

    def views(self) -> tuple[PluginView, ...]:
        """Return how each of them fares."""
        return tuple(thread.view() for thread in self._threads.values())

    async def close(self, seconds: float) -> bool:
        """Stop all, and tell whether they have all ended in time."""
        self.want(())
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + seconds
        for thread in self._leaving:
            remaining = max(0.0, give_up_at - loop.time())
            await asyncio.to_thread(thread.thread.join, remaining)
        hanging = [thread.spec.name for thread in self._leaving if thread.thread.is_alive()]
        for name in hanging:
            log.warning("plugin %s does not stop; it is left behind", name)
        return not hanging

    def _link(self, name: str) -> InsideLink:
        return InsideLink(self._endpoint, self._context, name, *self._ears)
