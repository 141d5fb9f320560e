"""What a watcher needs from around it, passed by hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

from cvec_circus_core.model.events import Event
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.launch import SpawnEnvironment
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.streams.outputs import Outputs
from cvec_circus_core.system.protocols import Clock, Processes


def _no_chance() -> float:
    return 0.0


def _alone() -> Iterable[Any]:
    return ()


class Neighbours(Struct):
    """How the hooks of one watcher find the others; whoever holds them all says so here."""

    watchers: Callable[[], Iterable[Any]] = _alone


class World(Struct, frozen=True):
    """The loop, the machine's two Protocols, the shared turns, the bus, and what children get."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    processes: Processes
    turns: FairQueue
    emit: Callable[[Event], None]
    around: Callable[[], SpawnEnvironment] = field(default=SpawnEnvironment)
    chance: Callable[[], float] = field(default=_no_chance)
    """A random number from 0 to 1."""
    outputs: Outputs = field(default_factory=Outputs)
    sockets: ManagedSockets = field(default_factory=ManagedSockets)
    neighbours: Neighbours = field(default_factory=Neighbours)
    thread: int = field(default_factory=threading.get_ident)
    """The thread of the loop."""
