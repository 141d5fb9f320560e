"""Facts about which something has to be decided: `record` notes them, `advance` decides.

They are decided on once per step, in the order in which they were noted, when all inputs of the
step are known; a slot may have changed its phase meanwhile, and then a fact means nothing.
"""

from __future__ import annotations

from cvec_circus_core.model.values import Struct
from cvec_circus_core.policy.watcher.inputs import TicketId
from cvec_circus_core.policy.watcher.slots import Slot


class ProcessStarted(Struct, frozen=True):
    """A process is there."""

    slot: Slot


class ProcessEnded(Struct, frozen=True):
    """A process is gone."""

    slot: Slot
    pid: int
    code: int | None
    was_to_go: bool
    """Whether it was asked to go, or was about to be replaced."""
    left_behind: bool
    grace: float
    """Seconds that what it left behind may still take."""
    address_in_use: bool = False
    """Whether it has met a process at its address that is to be replaced, as far as is known."""
    address_holder: str | None = None
    """Who else was at its address."""
    address_is_left: bool = False
    """Whether a process of another watcher was at its address that is about to go."""


class CouldNotStart(Struct, frozen=True):
    """A try to start a process has failed."""

    slot: Slot
    reason: str
    shortage: bool
    """Whether the machine had no room for it, which says nothing of the program."""


class StartRefused(Struct, frozen=True):
    """A hook does not let a process start."""

    slot: Slot
    why: str


class StayRefused(Struct, frozen=True):
    """A hook does not let a process stay that has just started."""

    slot: Slot
    why: str


class RunRefused(Struct, frozen=True):
    """A hook does not let the watcher come up."""

    why: str


class StopAsked(Struct, frozen=True):
    """A caller wants one process stopped."""

    slot: Slot
    signum: int | None
    grace: float | None


class HangupAsked(Struct, frozen=True):
    """A caller wants every process to get SIGHUP."""

    ticket: TicketId | None


class HasteAsked(Struct, frozen=True):
    """A caller wants nothing to be waited for any more."""


class GraceOver(Struct, frozen=True):
    """A process was asked to go, and has not gone in time."""

    slot: Slot


class ReadyLate(Struct, frozen=True):
    """No process in this slot was ready in time."""

    slot: Slot


class PingMissed(Struct, frozen=True):
    """A process has not pinged its watchdog in time, or asks to be replaced."""

    slot: Slot


Fact = (
    ProcessStarted
    | ProcessEnded
    | CouldNotStart
    | StartRefused
    | StayRefused
    | RunRefused
    | StopAsked
    | HangupAsked
    | HasteAsked
    | GraceOver
    | ReadyLate
    | PingMissed
)
