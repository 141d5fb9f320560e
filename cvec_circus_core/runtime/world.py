"""What a watcher needs from around it, passed by hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterable

from cvec_circus_core.extend.ports import Supervisor, WatcherPort
from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.model.events import Event
from cvec_circus_core.model.spec_reader import NO_READER, SpecReader
from cvec_circus_core.model.text import LineQuota
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.launch import SpawnEnvironment
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.slow_paths import SlowPaths
from cvec_circus_core.runtime.streams.outputs import Outputs
from cvec_circus_core.system.processes.notify_sockets import SharedNotifySocket
from cvec_circus_core.system.protocols import Clock, Processes
from cvec_circus_core.system.state_store import StateStore


def _no_chance() -> float:
    return 0.0


def _alone() -> Iterable[WatcherPort]:
    return ()


class Neighbours(Struct):
    """How one watcher finds the others; the arbiter, which has them all, says so."""

    watchers: Callable[[], Iterable[WatcherPort]] = _alone
    leaving_pids: Callable[[], Collection[int]] = tuple
    """Returns the pids of those of all watchers that are about to go."""


def _unseen(owner: str, watcher: WatcherPort) -> WatcherPort:
    return watcher


def _no_supervisor(owner: str) -> Supervisor:
    raise BadMessage("there is no daemon here, but this watcher alone")


class World(Struct, frozen=True):
    """The loop, the machine's two Protocols, the shared turns, the bus, and what children get."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    processes: Processes
    turns: FairQueue
    sockets: ManagedSockets
    emit: Callable[[Event], None]
    around: Callable[[], SpawnEnvironment] = field(default=SpawnEnvironment)
    chance: Callable[[], float] = field(default=_no_chance)
    """A random number from 0 to 1."""
    outputs: Outputs = field(default_factory=Outputs)
    neighbours: Neighbours = field(default_factory=Neighbours)
    options: SpecReader = NO_READER
    seen_by_hooks: Callable[[str, WatcherPort], WatcherPort] = _unseen
    """A watcher as the hooks of the one that is named act on it: what they do is audited."""
    supervisor_of: Callable[[str], Supervisor] = _no_supervisor
    """The daemon as the hooks of the watcher that is named act on it."""
    hook_wishes: set[asyncio.Task[None]] = field(default_factory=set)
    """Wishes of hooks that are under way."""
    notify: SharedNotifySocket = field(default_factory=SharedNotifySocket)
    slow_paths: SlowPaths = field(default_factory=SlowPaths)
    store: StateStore = field(default_factory=StateStore)
    """What a later daemon has to know."""
    line_quota: LineQuota = field(default_factory=LineQuota)
    """Bounds what is told of processes that speak where they are not heard."""
    thread: int = field(default_factory=threading.get_ident)
    """The thread of the loop."""
