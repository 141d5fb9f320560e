"""What a ticket waits for."""

from __future__ import annotations

from enum import Enum

from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.watcher.inputs import TicketId


class Goal(Enum):
    """What has to be so before a ticket is settled."""

    UP = "start"
    DOWN = "stop"
    ANEW = "restart"
    RENEWED = "reload"
    SIZED = "resize"
    GONE = "kill"


class OpenTicket(Struct, eq=False):
    """A ticket that is not settled yet, and what happened since it was handed out."""

    ticket: TicketId
    goal: Goal
    pids: set[int] = field(default_factory=set)
    """For GONE and SIZED: the processes that have to end."""
    started: dict[int, None] = field(default_factory=dict)
    stopped: list[int] = field(default_factory=list)
    """Without those that started and ended meanwhile, so a ticket that waits for long stays
    small."""
