"""What a watcher needs from around it, passed by hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

from cvec_circus_core.model.events import Event
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.commandline import Surroundings
from cvec_circus_core.runtime.sockets import SocketShelf
from cvec_circus_core.runtime.streams.shared import Outputs
from cvec_circus_core.runtime.turns import Turns
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
    turns: Turns
    emit: Callable[[Event], None]
    around: Callable[[], Surroundings] = field(default=Surroundings)
    chance: Callable[[], float] = field(default=_no_chance)
    """A random number from 0 to 1."""
    outputs: Outputs = field(default_factory=Outputs)
    sockets: SocketShelf = field(default_factory=SocketShelf)
    neighbours: Neighbours = field(default_factory=Neighbours)
    thread: int = field(default_factory=threading.get_ident)
    """The thread of the loop."""
