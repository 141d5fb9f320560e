"""What a hook gets to see as ``watcher`` and ``arbiter``: safe from any thread.

A question is answered in the event loop, which owns everything, so that what a hook sees is so at
the moment it asks. A wish is made and not waited for: it may need the answer of that very hook.
Both come in by the port that commands use (`extend/ports.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import TypeVar

from cvec_circus_core.extend.ports import WatcherPort
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import ProcessView, WatcherStatus, WatcherView
from cvec_circus_core.policy.order import start_order
from cvec_circus_core.runtime.world import World

PATIENCE = 10.0
"""Seconds that a thread waits for the loop."""

_WISHES = ("start", "stop", "restart")

Answer = TypeVar("Answer")


def in_loop(world: World, look: Callable[[], Answer]) -> Answer:
    """Return what a function finds in the event loop, whichever thread asks."""
    if threading.get_ident() == world.thread:
        return look()
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(look())
        except Exception as error:
            answer.set_exception(error)

    world.loop.call_soon_threadsafe(run)
    return answer.result(PATIENCE)


class DirectSignal(Struct, frozen=True):
    """A signal to one process itself."""

    pid: int
    wid: None = None
    childpid: None = None
    children: bool = False
    recursive: bool = False


class HookWatcher:
    """One watcher, as hooks see it. Options are attributes: ``watcher.numprocesses``.

    ``owner`` is the name of the watcher whose hooks these are.
    """

    def __init__(self, watcher: WatcherPort, world: World, owner: str) -> None:
        self._watcher = world.seen_by_hooks(owner, watcher)
        self._world = world

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        spec = in_loop(self._world, lambda: self._watcher.spec)
        if name in spec.extra:
            return spec.extra[name]
        try:
            option: object = getattr(spec, name)
        except AttributeError:
            raise AttributeError(f"a watcher has no {name}") from None
        return option

    @property
    def name(self) -> str:
        """The name as it was written."""
        return self._watcher.name

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables that its processes are given."""
        return dict(in_loop(self._world, lambda: self._watcher.spec.env))

    @property
    def processes(self) -> Mapping[int, ProcessView]:
        """What runs, by pid."""
        return {process.pid: process for process in self._view().processes}

    @property
    def pids(self) -> list[int]:
        """The pids of what runs."""
        return list(self.processes)

    @property
    def stopped(self) -> bool:
        """Whether it is down."""
        return self._view().status is WatcherStatus.STOPPED

    def status(self) -> str:
        """Return the state word."""
        return self._view().status.value

    def notify_event(self, topic: str, msg: Mapping[str, object]) -> None:
        """Publish an event of the watcher."""
        body = dict(msg)
        in_loop(self._world, lambda: self._watcher.announce(topic, body))

    def send_signal(self, pid: int, signum: int) -> None:
        """Send a signal to one of its processes. Raises `UnknownProcess`."""
        in_loop(self._world, lambda: self._watcher.signal(signum, DirectSignal(pid)))

    def wish(self, go: str) -> None:
        """Ask for ``start``, ``stop`` or ``restart``, and do not wait for it."""
        if go not in _WISHES:
            raise ValueError(f"{go!r} is none of {', '.join(_WISHES)}")
        in_loop(self._world, lambda: getattr(self._watcher, go)())

    def _view(self) -> WatcherView:
        return in_loop(self._world, self._watcher.view)


class HookArbiter:
    """All watchers, as the hooks of one of them see them."""

    def __init__(
        self, watchers: Callable[[], Iterable[WatcherPort]], world: World, owner: str
    ) -> None:
        self._watchers = watchers
        self._world = world
        self._owner = owner

    def get_watcher(self, name: str) -> HookWatcher:
        """Return a watcher by name, in any case. Raises KeyError."""
        return {name_key(watcher.name): watcher for watcher in self.iter_watchers()}[name_key(name)]

    def iter_watchers(self) -> list[HookWatcher]:
        """Return all watchers, highest priority first."""
        watchers = in_loop(self._world, lambda: start_order(self._watchers()))
        return [HookWatcher(watcher, self._world, self._owner) for watcher in watchers]

    def numwatchers(self) -> int:
        """Return how many watchers there are."""
        return len(self.iter_watchers())

    def numprocesses(self) -> int:
        """Return how many processes run."""
        return sum(len(watcher.pids) for watcher in self.iter_watchers())

    def statuses(self) -> dict[str, str]:
        """Return the state words by name."""
        return {watcher.name: watcher.status() for watcher in self.iter_watchers()}
