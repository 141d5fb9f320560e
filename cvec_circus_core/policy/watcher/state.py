"""The state of one watcher: what is wanted, what is so, and what is yet to be decided.

The wish (``wanted``), the state word (``status``) and the flags beside them mean together:

    wanted      status     meaning
    UP          STOPPED    the first step after a wish to come up; no event was told yet
    UP          STARTING   processes are started; not every slot has had one yet
    UP          ACTIVE     every slot has had a process; it stays so while slots are tried again
    DOWN        STOPPING   processes are asked to go, or what they left behind is
    DOWN        STOPPED    nothing is left
    ON_DEMAND   STOPPING   as DOWN
    ON_DEMAND   STOPPED    nothing is left, and a connection brings it up (`activation.py`)
    DETACHED    STOPPED    forgotten; processes may still run, and only their ends are told

``restart_when_down``   with DOWN or ON_DEMAND: comes up again as soon as all is down. A restart, a
                        start of one that is going down, a connection. Never with UP.
``gave_up``             with DOWN: it went down because it could not do what was wanted; ``reason``
                        says why. Any later word of a caller ends that.
``completed``           with DOWN: its processes have come to a normal end.
``fatal``               with ``gave_up``: the daemon ends because of it (on_failure = exit).
``closed``              a later wish to come up is refused: it is removed, or the daemon quits.
``kill_at_once``        until the next start, nothing has a grace any more.

These belong to `WatcherState.want`, which sets them together. ``reason`` with UP tells why a slot
has no process; with DOWN, why the watcher is down.

``rolling`` is so from the beginning of a reload until all new processes are ready; meanwhile
``previous_spec`` is what the old ones were started by, where the reload brings another one. A
reload that fails leaves its ``rollout_error`` until the next.

``facts`` are noted by `record`, decided on by `advance`, and empty between two steps; so are
``effects``, which the step returns.
"""

from __future__ import annotations

from collections import deque
from math import inf

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.alarms import AlarmKind, Alarms
from cvec_circus_core.policy.watcher.effects import Effect
from cvec_circus_core.policy.watcher.facts import Fact
from cvec_circus_core.policy.watcher.inputs import Wanted
from cvec_circus_core.policy.watcher.open_tickets import OpenTicket
from cvec_circus_core.policy.watcher.rollout import Rollout, rollout_of
from cvec_circus_core.policy.watcher.slot_table import SlotTable
from cvec_circus_core.policy.watcher.slots import Slot


class WatcherState(Struct, eq=False):
    """Everything that is known about one watcher, held nowhere else."""

    spec: WatcherSpec
    wanted: Wanted = Wanted.DOWN
    restart_when_down: bool = False
    reason: str | None = None
    gave_up: bool = False
    fatal: bool = False
    completed: bool = False
    kill_at_once: bool = False
    closed: bool = False
    status: WatcherStatus = WatcherStatus.STOPPED
    rollout: Rollout | None = None
    """What this reload was asked to keep to, instead of what the spec says."""
    rolling: bool = False
    previous_spec: WatcherSpec | None = None
    rollout_error: str | None = None
    never_waits: bool = False
    """Its processes have sockets and were not seen to wait on them: time proves them instead."""
    finished: int = 0
    """Processes that ended for good since the start, where not every end is answered."""
    bad_end: str | None = None
    """How one of them ended that failed."""
    listening: bool = False
    """A `Listen` effect is under way."""
    sockets_changed: bool = False
    """What is listened to may be other sockets now."""
    run_began_at: float = -inf
    quick_runs: int = 0
    """Runs in a row that began quickly after the one before."""
    listen_from: float = -inf
    """It does not listen before this moment."""
    restarts: int = 0
    last_exit: int | None = None
    last_death: int | None = None
    """The last exit that nobody had asked for."""
    last_spawn_at: float = -inf
    slots: SlotTable = field(default_factory=SlotTable)
    approved: deque[tuple[int, int]] = field(default_factory=deque)
    """(wid, serial) of asking slots whose process may start."""
    due: deque[tuple[int, int]] = field(default_factory=deque)
    """(wid, serial) of waiting slots whose time has come."""
    gates: dict[str, int] = field(default_factory=dict)
    """Hooks of the whole watcher that were asked in this run: serial number, or 0 once passed."""
    leftovers: set[int] = field(default_factory=set)
    """Ended processes whose descendants are being stopped."""
    alarms: Alarms = field(default_factory=Alarms)
    tickets: list[OpenTicket] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    _own_rollout: Rollout = field(default_factory=Rollout)

    def __post_init__(self) -> None:
        """Take in what is derived from the spec."""
        self.use_spec(self.spec)

    def use_spec(self, spec: WatcherSpec) -> None:
        """Keep to another spec from now on."""
        self.spec = spec
        self._own_rollout = rollout_of(spec)

    def want(
        self,
        wanted: Wanted,
        reason: str | None = None,
        *,
        restart_when_down: bool = False,
        gave_up: bool = False,
        fatal: bool = False,
        completed: bool = False,
    ) -> None:
        """Take in a wish; what went with the one before does not count any more."""
        self.wanted, self.reason = wanted, reason
        self.restart_when_down, self.completed = restart_when_down, completed
        self.gave_up, self.fatal = gave_up, fatal

    def want_up_again(self) -> None:
        """Come up once all is down; until then it is down for the reason that it has."""
        self.restart_when_down = True

    def note(self, fact: Fact) -> None:
        """Leave a fact to be decided on at the end of this step."""
        self.facts.append(fact)

    def issue(self, effect: Effect) -> None:
        """Want something done."""
        self.effects.append(effect)

    def wake(self, at: float, kind: AlarmKind, slot: Slot) -> None:
        """Ask to be woken because of a slot."""
        self.alarms.add(at, kind, slot, self.slots)

    @property
    def target(self) -> int:
        """How many processes are wanted while the watcher is up."""
        may_finish = self.spec.on_demand or self.spec.respawn is not True
        finished = self.finished if may_finish else 0
        return max(0, self.spec.numprocesses - finished)

    @property
    def spawn_from(self) -> float:
        """No spawn before this moment (warmup_delay)."""
        return self.last_spawn_at + self.spec.warmup_delay

    @property
    def bounds(self) -> Rollout:
        """The rollout in force; a singleton never has two processes, whatever was asked."""
        if self.rollout is None or self.spec.singleton:
            return self._own_rollout
        return self.rollout

    @property
    def is_replacing(self) -> bool:
        """Whether new processes are to take the place of old ones at the moment."""
        return self.rolling or bool(self.slots.outdated)

    @property
    def is_empty(self) -> bool:
        """Whether no process, no descendant and no try is left."""
        return not self.slots.by_wid and not self.leftovers
