"""What a watcher's machine wants done. The runtime does it, in this order."""

from __future__ import annotations

from enum import Enum

from cvec_circus_core.model.events import Event
from cvec_circus_core.model.outcome import Outcome
from cvec_circus_core.model.values import Struct
from cvec_circus_core.policy.watcher.inputs import TicketId


class Reach(Enum):
    """How far a signal goes."""

    PROCESS = "the process alone"
    CHILDREN = "the process and its direct children"
    TREE = "the process and all its descendants"


class Spawn(Struct, frozen=True):
    """Start a process for this slot; answered by `Spawned` or `SpawnFailed`."""

    wid: int


class Signal(Struct, frozen=True):
    """Send a signal; one that asks a process to go may wait until nobody needs it."""

    pid: int
    signum: int
    reach: Reach
    asks_to_go: bool = False


class KillLeftovers(Struct, frozen=True):
    """Stop what an ended process left behind; answered by `Swept`."""

    pid: int
    signum: int
    grace: float


class Listen(Struct, frozen=True):
    """Wait for a connection at the watcher's sockets; answered once by `SocketReady`."""


class Unlisten(Struct, frozen=True):
    """Wait no more."""


class Emit(Struct, frozen=True):
    """Tell the world."""

    event: Event


class Settle(Struct, frozen=True):
    """Settle a ticket."""

    ticket: TicketId
    outcome: Outcome


class AskHook(Struct, frozen=True):
    """Ask a hook of the operator; answered by `HookAnswered` with this serial number and wid."""

    hook: str
    serial: int
    wid: int | None = None
    pid: int | None = None


Effect = AskHook | Spawn | Signal | KillLeftovers | Listen | Unlisten | Emit | Settle
