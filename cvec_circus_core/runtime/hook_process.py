"""One process of a watcher, as hooks see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cvec_circus_core.model.views import ProcessView
from cvec_circus_core.runtime.hook_wishes import HookWish, in_loop
from cvec_circus_core.runtime.world import World


class OwnerOfProcesses(Protocol):
    """The watcher, as far as one process needs it."""

    @property
    def pids(self) -> list[int]: ...
    def info(self) -> Mapping[int, object]: ...
    def send_signal(self, pid: int, signum: int) -> HookWish: ...
    def send_signal_child(self, pid: int, child_id: int, signum: int) -> HookWish: ...
    def send_signal_children(self, pid: int, signum: int, recursive: bool = False) -> HookWish: ...
    def kill_process(self, process: int) -> HookWish: ...


class HookProcess:
    """A process that ran when it was asked for; pid, wid, ready and the like do not change."""

    def __init__(self, view: ProcessView, watcher: OwnerOfProcesses, world: World) -> None:
        self._view, self._world = view, world
        self.watcher = watcher
        self.pid, self.wid = view.pid, view.wid
        self.stopping, self.ready, self.status = view.stopping, view.ready, view.status
        self.started_at = view.started_at

    @property
    def started(self) -> float:
        """When it was started, as Unix time."""
        clock = self._world.clock
        return in_loop(self._world, clock.wall) - self.age()

    def age(self) -> float:
        """Return its age in seconds."""
        return in_loop(self._world, self._world.clock.now) - self.started_at

    def is_alive(self) -> bool:
        """Tell whether it still runs."""
        return self.pid in self.watcher.pids

    def info(self) -> object:
        """Return its info object (spec: protocol, 5.3)."""
        return self.watcher.info().get(self.pid, "No such process (stopped?)")

    def children(self) -> list[int]:
        """Return the pids of its children."""
        info = self.info()
        children = info.get("children", ()) if isinstance(info, Mapping) else ()
        return [child["pid"] for child in children]

    def is_child(self, pid: int) -> bool:
        """Tell whether a pid is a child of it."""
        return pid in self.children()

    def send_signal(self, sig: int) -> HookWish:
        """Send it a signal. Raises `UnknownProcess`."""
        return self.watcher.send_signal(self.pid, sig)

    def send_signal_child(self, pid: int, signum: int) -> HookWish:
        """Send a signal to one child of it. Raises `UnknownProcess`."""
        return self.watcher.send_signal_child(self.pid, pid, signum)

    def send_signal_children(self, signum: int, recursive: bool = False) -> HookWish:
        """Send a signal to its children, or to its whole tree."""
        return self.watcher.send_signal_children(self.pid, signum, recursive)

    def stop(self) -> HookWish:
        """Want it stopped; it is replaced."""
        return self.watcher.kill_process(self.pid)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HookProcess) and self._view == other._view

    def __hash__(self) -> int:
        return hash(self.pid)

    def __lt__(self, other: HookProcess) -> bool:
        return self.started_at < other.started_at
