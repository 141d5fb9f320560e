"""What a later daemon has to know, kept by the owner of the processes where that lives on.

Notes and labels mean nothing to who keeps them. They are written as things change, each write costs
one message, and none is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.exits import Exit

OnExit = Callable[[int, Exit], None]
"""Called once per spawned process, in the event loop, with its pid and how it ended."""


@dataclass(frozen=True, slots=True)
class TakeoverData:
    """What a later daemon needs of a process, to take it over; its owner keeps it meanwhile.

    The descriptors stay the caller's: an owner elsewhere has duplicates.
    """

    label: bytes = b""
    descriptors: Mapping[str, int] = field(default_factory=dict)
    title: str = ""
    """Whose the process is, for people and for who can not read the label: wid and watcher."""


NO_TAKEOVER = TakeoverData()


@dataclass(frozen=True, slots=True)
class KeptProcess:
    """A process that an earlier daemon has started, with its descriptors, which are ours now."""

    number: int
    """What its owner knows it by: a pid may have been used again since it ended."""
    pid: int
    label: bytes
    descriptors: Mapping[str, int]
    end: Exit | None
    is_confirmed: bool
    """Whether its end was told."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """All that is kept when a daemon begins."""

    processes: list[KeptProcess] = field(default_factory=list)
    sockets: list[tuple[BindPlan, OpenSocket]] = field(default_factory=list)
    notes: dict[str, bytes] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)
    """Descriptors, ours now, by name."""
    facts: dict[str, object] = field(default_factory=dict)
    """What the owner tells of itself."""


class StateStore:
    """Keeps state, and hands over what an earlier daemon has left.

    This one keeps nothing: the processes have nobody after this daemon.
    """

    is_kept = False
    """Whether anything is kept at all; if not, there is no need to prepare it."""

    def __init__(self, inventory: Inventory | None = None) -> None:
        self.inventory = inventory or Inventory()
        """What there was when this daemon began."""

    def take_over(self, process: KeptProcess, on_exit: OnExit) -> None:
        """Have a process of the inventory; if it has ended, that is told soon, unless it was."""

    def abandon(self, process: KeptProcess) -> None:
        """Have nothing to do with a process of the inventory."""

    def note(self, key: str, content: bytes | None) -> None:
        """Keep something under a key, in the place of what was there; None forgets it."""

    def hold(self, name: str, descriptor: int) -> None:
        """Have a duplicate of a descriptor held that belongs to no process."""

    def label(self, pid: int, label: bytes) -> None:
        """Keep something else of a process than what it was spawned with."""

    def release(self, pid: int, name: str) -> None:
        """Keep this descriptor of a process no longer."""

    def confirm(self, pid: int) -> None:
        """Say that the end of a process was told to everybody, so that it may be forgotten."""

    def spare(self, pid: int) -> None:
        """Say that a process goes on whatever becomes of the daemon: it is nobody's any more."""
