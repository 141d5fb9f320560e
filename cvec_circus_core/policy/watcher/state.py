"""The state of one watcher: slots, and indexes that keep every step cheap.

A slot is one seat with a number (wid). Its phase:

    WAITING   its process died quickly or could not start; it is tried again at ``due_at``
    ASKING    the hook before_spawn was asked and has not answered
    SPAWNING  a Spawn effect is under way
    RUNNING   the process is there
    STOPPING  it was asked to go; at ``kill_at`` it is killed

A slot whose ``stale`` is set is out of date: it is replaced, then retired. Only RUNNING slots are
retired; a SPAWNING one becomes RUNNING first. A slot is *proven* once a process in it has been
ready since it was opened, or since a reload found it waiting: a reload ends when all are.

Indexes beside the slots (by phase, by pid, in order of age) make a death, a spawn and a tick cost
O(log n) at most, and nothing scans all slots but a wish that concerns them all.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from enum import Enum
from math import inf

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.watcher.inputs import TicketId, Wanted
from cvec_circus_core.policy.watcher.rollout import Rollout, rollout_of

_ALARMS_TO_SPARE = 64
_ALARMS_PER_SLOT = 8
"""Alarms that no longer hold are dropped when they come up, or when there are this many."""


class Phase(Enum):
    """Where a slot is in its life."""

    WAITING = "waiting"
    ASKING = "asking"
    SPAWNING = "spawning"
    RUNNING = "running"
    STOPPING = "stopping"


class Slot(Struct):
    """One seat for a process."""

    wid: int
    serial: int
    """Tells this stay, or this waiting, from an earlier one of the same slot."""
    generation: int
    phase: Phase = Phase.SPAWNING
    pid: int = 0
    started_at: float = 0.0
    born: bool = False
    """Whether it has had a process since it was opened, or since a reload found it waiting."""
    quick_deaths: int = 0
    failures: int = 0
    misses: int = 0
    """Processes that ended here before one was ready."""
    stale: ExitReason | None = None
    ready: bool = False
    proven: bool = False
    question: int = 0
    """Serial number of the question to a hook that is open about this slot."""
    is_held: bool = False
    """Whether its process may not be ready before a hook has answered."""
    is_ready_when_let: bool = False
    ready_at: float = 0.0
    ready_by: float | None = None
    """When it has taken too long to be ready."""
    status: str | None = None
    """What its process says of itself."""
    interval: float = 0.0
    """Seconds between two pings of its process; 0 where it has no watchdog."""
    ping_by: float = 0.0
    watch_at: float | None = None
    """When the watchdog looks again; ``ping_by`` may have moved on by then."""
    due_at: float = 0.0
    kill_at: float | None = None
    expires_at: float | None = None
    leaving: ExitReason = ExitReason.EXITED
    """What the reap event will say."""


class AlarmKind(Enum):
    """Why the machine wants to be woken."""

    RETRY = "a waiting slot is due"
    KILL = "a grace is over"
    READY = "a process has lived long enough"
    EXPIRE = "a process is too old"
    LATE = "a process takes too long to be ready"
    WATCH = "the watchdog looks whether a process has pinged"


class Goal(Enum):
    """What a promise waits for."""

    UP = "start"
    DOWN = "stop"
    ANEW = "restart"
    RENEWED = "reload"
    SIZED = "resize"
    GONE = "kill"


class OpenTicket(Struct):
    """A ticket that is not settled yet, and what happened since it was given."""

    ticket: TicketId
    aim: Goal
    pids: set[int] = field(default_factory=set)
    """For GONE and SIZED: who has to end."""
    started: dict[int, None] = field(default_factory=dict)
    stopped: list[int] = field(default_factory=list)
    """Without those that came and went meanwhile, so a ticket that waits for long stays small."""


class WatcherState(Struct, eq=False):
    """Everything that is known about one watcher, held nowhere else."""

    spec: WatcherSpec
    wanted: Wanted = Wanted.DOWN
    again: bool = False
    """Come up again once all is down."""
    hasty: bool = False
    """No grace for anybody any more."""
    final: bool = False
    status: WatcherStatus = WatcherStatus.STOPPED
    reason: str | None = None
    gave_up: bool = False
    """It is down because it could not do what was wanted, and nobody has said anything since."""
    generation: int = 0
    rollout: Rollout | None = None
    """What this reload was asked to keep to, instead of what the spec says."""
    rolling: bool = False
    """A reload is on its way and has yet to be announced as finished."""
    fallback: WatcherSpec | None = None
    """By which spec the old processes were started, while a reload brings in another one."""
    setback: str | None = None
    """Why the last reload failed, until the next one."""
    spent: int = 0
    """Lives that ended for good since the start, where respawn is off or on_demand is on."""
    listening: bool = False
    """A `Listen` effect is under way."""
    begun_at: float = -inf
    quick_runs: int = 0
    """Runs in a row that began quickly after the one before."""
    listen_from: float = -inf
    """Nobody listens before this moment."""
    restarts: int = 0
    last_exit: int | None = None
    last_spawn_at: float = -inf
    serials: int = 0
    slots: dict[int, Slot] = field(default_factory=dict)
    by_pid: dict[int, Slot] = field(default_factory=dict)
    asking: dict[int, Slot] = field(default_factory=dict)
    let: deque[tuple[int, int]] = field(default_factory=deque)
    """(wid, serial) of asking slots whose process may start."""
    gates: dict[str, int] = field(default_factory=dict)
    """Hooks of the whole watcher that were asked in this run: serial number, or 0 once passed."""
    spawning: dict[int, Slot] = field(default_factory=dict)
    outdated_spawns: int = 0
    """How many of the spawning are of an older generation."""
    waiting: dict[int, Slot] = field(default_factory=dict)
    fresh: OrderedDict[int, Slot] = field(default_factory=OrderedDict)
    """RUNNING and up to date, oldest first."""
    stale: OrderedDict[int, Slot] = field(default_factory=OrderedDict)
    """RUNNING and out of date, in the order in which they are to go."""
    stopping: dict[int, Slot] = field(default_factory=dict)
    sweeping: set[int] = field(default_factory=set)
    ready: int = 0
    """How many of the fresh are ready."""
    unborn: int = 0
    """Slots that are not born yet."""
    unproven: int = 0
    """Slots in which no process was ready yet."""
    held: set[int] = field(default_factory=set)
    """Fresh slots about whose process a hook has yet to say whether it may stay."""
    bygone: set[int] = field(default_factory=set)
    """Slots whose process is of an older generation, or will be when it comes."""
    due: deque[tuple[int, int]] = field(default_factory=deque)
    """(wid, serial) of waiting slots whose time has come."""
    alarms: list[tuple[float, int, AlarmKind, int]] = field(default_factory=list)
    alarm_count: int = 0
    free_wids: list[int] = field(default_factory=list)
    top_wid: int = 0
    promises: list[OpenTicket] = field(default_factory=list)
    _own_rollout: Rollout = field(default_factory=Rollout)

    def __post_init__(self) -> None:
        """Take in what is derived from the spec."""
        self.live_by(self.spec)

    def live_by(self, spec: WatcherSpec) -> None:
        """Take another spec."""
        self.spec = spec
        self._own_rollout = rollout_of(spec)

    @property
    def target(self) -> int:
        """How many processes are wanted while the watcher is up."""
        spent = self.spent if self.spec.on_demand or not self.spec.respawn else 0
        return max(0, self.spec.numprocesses - spent)

    @property
    def spawn_from(self) -> float:
        """No spawn before this moment (warmup_delay)."""
        return self.last_spawn_at + self.spec.warmup_delay

    @property
    def alive(self) -> int:
        """Processes that are there, whatever their phase, or may be there any moment."""
        return len(self.by_pid) + self.under_way

    @property
    def bounds(self) -> Rollout:
        """The rollout in force; a singleton never has two processes, whatever was asked."""
        if self.rollout is None or self.spec.singleton:
            return self._own_rollout
        return self.rollout

    @property
    def is_replacing(self) -> bool:
        """Whether new processes are to take the place of old ones at the moment."""
        return self.rolling or bool(self.stale)

    @property
    def under_way(self) -> int:
        """Processes that are about to be there."""
        return len(self.spawning) + len(self.asking)

    @property
    def coming(self) -> int:
        """Up-to-date slots that are there or on their way."""
        return len(self.fresh) + len(self.waiting) + self.under_way - self.outdated_spawns

    @property
    def is_empty(self) -> bool:
        """Whether no process, no descendant and no try is left."""
        return not self.slots and not self.sweeping

    def is_current(self, slot: Slot) -> bool:
        """Tell whether a slot belongs to the present generation and is not too old."""
        return slot.stale is None and slot.generation == self.generation

    def take_slot(self, wid: int | None = None) -> Slot:
        """Open a slot, about to spawn: this one, or the lowest free one where it is taken."""
        if wid is None or wid < 1 or wid in self.slots:
            wid = self._lowest_free_wid()
        else:
            self._take_wid(wid)
        slot = Slot(wid, self.next_serial(), self.generation)
        self.slots[wid] = slot
        self.spawning[wid] = slot
        self.unborn += 1
        self.unproven += 1
        return slot

    def _lowest_free_wid(self) -> int:
        if self.free_wids:
            return heapq.heappop(self.free_wids)
        self.top_wid += 1
        return self.top_wid

    def _take_wid(self, wid: int) -> None:
        if wid > self.top_wid:
            for skipped in range(self.top_wid + 1, wid):
                heapq.heappush(self.free_wids, skipped)
            self.top_wid = wid
        else:
            self.free_wids.remove(wid)
            heapq.heapify(self.free_wids)

    def next_serial(self) -> int:
        """Return a number that no stay of a slot has had."""
        self.serials += 1
        return self.serials

    def leave(self, slot: Slot) -> None:
        """Take a slot out of the index of its phase."""
        match slot.phase:
            case Phase.WAITING:
                del self.waiting[slot.wid]
            case Phase.ASKING:
                del self.asking[slot.wid]
            case Phase.SPAWNING:
                del self.spawning[slot.wid]
                self.outdated_spawns -= not self.is_current(slot)
            case Phase.STOPPING:
                del self.stopping[slot.wid]
            case Phase.RUNNING:
                self._leave_running(slot)

    def _leave_running(self, slot: Slot) -> None:
        self.held.discard(slot.wid)
        if self.stale.pop(slot.wid, None) is None:
            del self.fresh[slot.wid]
            self.ready -= slot.ready

    def free(self, slot: Slot) -> None:
        """Give a slot back; its phase's index has been left already."""
        del self.slots[slot.wid]
        self.bygone.discard(slot.wid)
        self.unborn -= not slot.born
        self.unproven -= not slot.proven
        if self.slots:
            heapq.heappush(self.free_wids, slot.wid)
        else:
            self.free_wids.clear()
            self.top_wid = 0

    def outdate(self, slot: Slot, why: ExitReason) -> None:
        """Mark a running slot as out of date; one that is not ready is the first to go."""
        if self.fresh.pop(slot.wid, None) is None:
            return
        self.held.discard(slot.wid)
        self.ready -= slot.ready
        slot.stale = why
        self.stale[slot.wid] = slot
        if not slot.ready:
            self.stale.move_to_end(slot.wid, last=False)

    def wake(self, at: float, kind: AlarmKind, slot: Slot) -> None:
        """Ask to be woken; alarms that no longer hold are dropped when they come up."""
        self.alarm_count += 1
        heapq.heappush(self.alarms, (at, self.alarm_count, kind, slot.wid))
        if len(self.alarms) > _ALARMS_TO_SPARE + _ALARMS_PER_SLOT * len(self.slots):
            self._drop_idle_alarms()

    def _drop_idle_alarms(self) -> None:
        # A max_age of a day and a crash loop would pile up alarms of processes long gone.
        self.alarms = [alarm for alarm in self.alarms if self.holds(alarm[0], alarm[2], alarm[3])]
        heapq.heapify(self.alarms)

    def holds(self, at: float, kind: AlarmKind, wid: int) -> Slot | None:
        """Return the slot that an alarm was set for, or None where it means nothing now."""
        slot = self.slots.get(wid)
        if slot is None:
            return None
        meant = {
            AlarmKind.RETRY: slot.phase is Phase.WAITING and slot.due_at == at,
            AlarmKind.KILL: slot.kill_at == at,
            AlarmKind.READY: slot.ready_at == at and wid in self.fresh and not slot.ready,
            AlarmKind.EXPIRE: slot.expires_at == at and wid in self.fresh,
            AlarmKind.LATE: slot.ready_by == at,
            AlarmKind.WATCH: slot.watch_at == at and slot.phase is Phase.RUNNING,
        }
        return slot if meant[kind] else None
