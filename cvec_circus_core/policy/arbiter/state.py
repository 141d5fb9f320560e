"""The state of all watchers together: what is known of each, and the requests under way.

A request becomes an *operation*: stages in order, each a list of moves. A move is one effect that
is answered. When all moves of a stage are made, the next stage waits, as each move says:

    READY   until its watcher is ready, is down, or has failed for the first time
    ENDED   until it is answered
    LATER   not at all; the operation ends when it is answered
    NEVER   not at all, and its outcome does not count

Stages that can be planned only when their turn comes are a `LaterStage` until then. A watcher that
is *leaving* is forgotten when it is down. What the file says of a watcher is *unapplied* from the
moment at which it is read until the watcher lives by it; an operation that ends before has the file
count as it was, so that the next reading finds the difference again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from enum import Enum
from math import inf

from cvec_circus_core.model.errors import CircusError, among_several
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.arbiter.effects import Ask, AskId, WatcherAsk
from cvec_circus_core.policy.arbiter.inputs import ConfigRead, WatcherFacts
from cvec_circus_core.policy.config_plan import Present
from cvec_circus_core.policy.watcher.inputs import TicketId


class Wait(Enum):
    """How long the next stage waits for a move."""

    READY = "ready"
    ENDED = "ended"
    LATER = "later"
    NEVER = "never"


class Move(Struct, frozen=True):
    """One effect of a stage."""

    ask: Ask
    wait: Wait = Wait.ENDED
    is_paced: bool = False
    """Whether ``warmup_delay`` passes between the paced move before it and this one."""
    only_if_up: bool = False
    """Whether it is left out where its watcher is not up when its turn comes."""
    forgets: bool = False
    """Whether its watcher is forgotten when it is done."""
    patience: float = inf
    """Seconds after which the next stage goes ahead all the same."""

    @property
    def watcher(self) -> str | None:
        """The key of the watcher that it concerns."""
        return self.ask.watcher if isinstance(self.ask, WatcherAsk) else None


Stage = tuple[Move, ...]


class LaterStage(Enum):
    """Stages that depend on what is in force when their turn comes."""

    CONFIGURATION = "configuration"
    START = "start"


class Operation(Struct, eq=False):
    """A request that is under way."""

    name: str
    ticket: TicketId
    stages: deque[Stage | LaterStage]
    reading: ConfigRead | None = None
    is_supersedable: bool = True
    number: int = 0
    """Tells it from what was wished before and after."""
    moves: deque[Move] = field(default_factory=deque)
    """What the present stage has still to make."""
    awaited: set[AskId] = field(default_factory=set)
    """What the next stage waits for."""
    until_ready: dict[str, AskId] = field(default_factory=dict)
    """By watcher: what the next stage waits for until that one is ready."""
    open: set[AskId] = field(default_factory=set)
    """What the operation waits for."""
    done: dict[AskId, Done] = field(default_factory=dict)
    failures: dict[AskId, CircusError] = field(default_factory=dict)
    has_paced: bool = False
    paced_from: float = -inf
    """When the next paced move may be made."""
    goes_on_at: float = inf
    """When the next stage does not wait any longer."""
    hasten_at: float = inf
    """When nobody that the next stage waits for has any grace left."""
    end_by: float = inf
    """When the last watcher has to be down."""
    unapplied: dict[str, WatcherSpec | None] = field(default_factory=dict)
    """What the file had, by watcher, or None."""

    def outcome(self) -> Outcome:
        """Return what has become of it: the earliest move's failure, or what all have done."""
        if self.failures:
            return Failed(among_several([self.failures[ask] for ask in sorted(self.failures)]))
        parts = [self.done[ask] for ask in sorted(self.done)]
        return Done(
            stopped=tuple(pid for part in parts for pid in part.stopped),
            started=tuple(pid for part in parts for pid in part.started),
            kept=tuple(pid for part in parts for pid in part.kept),
            numprocesses=sum(part.numprocesses for part in parts),
        )


class OpenAsk(Struct, frozen=True):
    """An effect that is not answered yet."""

    ticket: TicketId
    move: Move


class ArbiterState(Struct, eq=False):
    """Everything that is known about all watchers together, held nowhere else."""

    spec: ArbiterSpec
    watchers_in_file: dict[str, WatcherSpec] = field(default_factory=dict)
    sockets_in_file: dict[str, SocketSpec] = field(default_factory=dict)
    watchers: dict[str, WatcherFacts] = field(default_factory=dict)
    operations: dict[TicketId, Operation] = field(default_factory=dict)
    touched: dict[TicketId, None] = field(default_factory=dict)
    """Operations that may go on in this step; a thousand removals do not look at each other."""
    asks: dict[AskId, OpenAsk] = field(default_factory=dict)
    leaving: set[str] = field(default_factory=set)
    wishes: int = 0
    """How many requests there were, and wishes for single watchers."""
    wished: dict[str, int] = field(default_factory=dict)
    """By watcher: the number of the last wish for it alone."""
    last_ask: int = 0
    is_quitting: bool = False
    end_by: float = inf
    """When the daemon has to be gone."""

    def present(self, sockets: Mapping[str, SocketSpec]) -> Present:
        """Return what a new configuration is compared with, given the sockets in force.

        A watcher that is leaving is gone: one of its name in the file is a new one.
        """
        staying = {k: facts for k, facts in self.watchers.items() if k not in self.leaving}
        return Present(
            self.spec,
            {key: facts.spec for key, facts in staying.items()},
            {key: facts.condition for key, facts in staying.items()},
            sockets,
            self.watchers_in_file,
            self.sockets_in_file,
        )
