"""What a watcher's machine wants done. The runtime does it, in this order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cvec_circus_core.model.events import Event
from cvec_circus_core.model.outcome import Outcome
from cvec_circus_core.policy.inputs import TicketId


class Reach(Enum):
    """How far a signal goes."""

    PROCESS = "the process alone"
    CHILDREN = "the process and its direct children"
    TREE = "the process and all its descendants"


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a process for this slot; answered by `Spawned` or `SpawnFailed`."""

    wid: int


@dataclass(frozen=True, slots=True)
class Signal:
    """Send a signal; one that asks a process to go may wait until nobody needs it."""

    pid: int
    signum: int
    reach: Reach
    asks_to_go: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """Stop what an ended process left behind; answered by `Swept`."""

    pid: int
    signum: int
    grace: float


@dataclass(frozen=True, slots=True)
class Listen:
    """Wait for a connection at the watcher's sockets; answered once by `SocketReady`."""


@dataclass(frozen=True, slots=True)
class Unlisten:
    """Wait no more."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Tell the world."""

    event: Event


@dataclass(frozen=True, slots=True)
class Settle:
    """Keep, or break, a promise."""

    ticket: TicketId
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class AskHook:
    """Ask a hook of the operator; answered by `HookAnswered` with this serial number and wid."""

    hook: str
    serial: int
    wid: int | None = None
    pid: int | None = None


Effect = AskHook | Spawn | Signal | Sweep | Listen | Unlisten | Emit | Settle
