"""What a hook gets to see as ``watcher`` and ``arbiter``: safe from any thread.

A question is answered in the event loop, which owns everything, so that what a hook sees is so at
the moment it asks. A wish is made and not waited for: it may need the answer of that very hook.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from cvec_circus_core.model.events import Announced
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import ProcessView, WatcherStatus, WatcherView
from cvec_circus_core.policy.order import start_order
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.runtime.world import World

if TYPE_CHECKING:
    from cvec_circus_core.runtime.watcher import WatcherActor

PATIENCE = 10.0
"""Seconds that a thread waits for the loop."""

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
    """One watcher, as its hooks see it. Options are attributes: ``watcher.numprocesses``."""

    def __init__(self, actor: WatcherActor, world: World) -> None:
        self._actor = actor
        self._world = world

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        spec = in_loop(self._world, lambda: self._actor.spec)
        if name in spec.extra:
            return spec.extra[name]
        try:
            return getattr(spec, name)
        except AttributeError:
            raise AttributeError(f"a watcher has no {name}") from None

    @property
    def name(self) -> str:
        """The name as it was written."""
        return self._actor.name

    @property
    def env(self) -> Mapping[str, str]:
        """The environment variables that its processes are given."""
        return dict(in_loop(self._world, lambda: self._actor.spec.env))

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

    def notify_event(self, topic: str, msg: Mapping[str, Any]) -> None:
        """Publish an event of the watcher."""
        event = Announced(self.name, topic, dict(msg))
        in_loop(self._world, lambda: self._world.emit(event))

    def send_signal(self, pid: int, signum: int) -> None:
        """Send a signal to one of its processes. Raises `UnknownProcess`."""
        in_loop(self._world, lambda: self._actor.signal(signum, DirectSignal(pid)))

    def wish(self, go: str) -> None:
        """Ask for ``start``, ``stop`` or ``restart``, and do not wait for it."""
        in_loop(self._world, lambda: self._actor.wish(Go(go)) and None)

    def _view(self) -> WatcherView:
        return in_loop(self._world, self._actor.view)


class HookArbiter:
    """All watchers, as a hook sees them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get_watcher(self, name: str) -> HookWatcher:
        """Return a watcher by name, in any case. Raises KeyError."""
        found = {name_key(iter_watcher.name): iter_watcher for iter_watcher in self.iter_watchers()}
        return found[name_key(name)]

    def iter_watchers(self) -> list[HookWatcher]:
        """Return all watchers, highest priority first."""
        actors = in_loop(self._world, lambda: start_order(self._world.neighbours.watchers()))
        return [HookWatcher(actor, self._world) for actor in actors]

    def numwatchers(self) -> int:
        """Return how many watchers there are."""
        return len(self.iter_watchers())

    def numprocesses(self) -> int:
        """Return how many processes run."""
        return sum(len(iter_watcher.pids) for iter_watcher in self.iter_watchers())

    def statuses(self) -> dict[str, str]:
        """Return the state words by name."""
        return {iter_watcher.name: iter_watcher.status() for iter_watcher in self.iter_watchers()}
