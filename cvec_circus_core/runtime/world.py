"""What a watcher needs from around it, passed by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from cvec_circus_core.model.events import Event
from cvec_circus_core.policy.commandline import Surroundings
from cvec_circus_core.runtime.sockets import SocketShelf
from cvec_circus_core.runtime.streams_shared import Outputs
from cvec_circus_core.runtime.turns import Turns
from cvec_circus_core.system.protocols import Clock, Processes


def _no_chance() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class World:
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
