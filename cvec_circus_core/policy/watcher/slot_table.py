"""All slots of one watcher, and indexes that keep every step cheap.

`SlotTable.move` is the only way from one phase to another, so the indexes (by phase, by pid, in
order of age) and the counters can not part from the slots. A death, a spawn and a tick cost
O(log n) at most; nothing looks at all slots but a wish that concerns them all.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice

from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.watcher.slots import Phase, Slot


class SlotTable(Struct, eq=False):
    """All slots of a watcher by number, and again by what they are at the moment."""

    generation: int = 0
    by_wid: dict[int, Slot] = field(default_factory=dict)
    by_pid: dict[int, Slot] = field(default_factory=dict)
    waiting: dict[int, Slot] = field(default_factory=dict)
    asking: dict[int, Slot] = field(default_factory=dict)
    spawning: dict[int, Slot] = field(default_factory=dict)
    current: OrderedDict[int, Slot] = field(default_factory=OrderedDict)
    """RUNNING and up to date, oldest first."""
    outdated: OrderedDict[int, Slot] = field(default_factory=OrderedDict)
    """RUNNING and out of date, in the order in which they are to go."""
    stopping: dict[int, Slot] = field(default_factory=dict)
    ended: dict[int, Slot] = field(default_factory=dict)
    previous_generation: set[int] = field(default_factory=set)
    """Slots whose process is of an older generation, or will be when it is there."""
    outdated_spawns: int = 0
    """How many of the spawning are of an older generation."""
    ready: int = 0
    """How many of the current are ready."""
    never_spawned: int = 0
    not_yet_ready: int = 0
    """Slots in which no process was ready yet."""
    unapproved: set[int] = field(default_factory=set)
    """Current slots about whose process a hook has yet to say whether it may stay."""
    free_wids: list[int] = field(default_factory=list)
    top_wid: int = 0
    serials: int = 0
    changed: set[int] = field(default_factory=set)
    """Slots of which something else has to be known by who takes them over."""

    @property
    def under_way(self) -> int:
        """Processes that are about to be there."""
        return len(self.spawning) + len(self.asking)

    @property
    def alive(self) -> int:
        """Processes that are there, whatever their phase, or may be there any moment."""
        return len(self.by_pid) + self.under_way

    @property
    def coming(self) -> int:
        """Up-to-date slots that are there or on their way."""
        return len(self.current) + len(self.waiting) + self.under_way - self.outdated_spawns

    def next_serial(self) -> int:
        """Return a number that no stay of a slot has had."""
        self.serials += 1
        return self.serials

    def open(self, wid: int | None = None) -> Slot:
        """Open a slot, about to spawn: this one, or the lowest free one where it is taken."""
        if wid is None or wid < 1 or wid in self.by_wid:
            wid = self._lowest_free_wid()
        else:
            self._take_wid(wid)
        slot = Slot(wid, self.next_serial(), self.generation)
        self.by_wid[wid] = self.spawning[wid] = slot
        self.never_spawned += 1
        self.not_yet_ready += 1
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

    def move(self, slot: Slot, phase: Phase) -> None:
        """Take a slot from its phase to another one."""
        self._leave(slot)
        slot.phase = phase
        self._enter(slot)

    def free(self, slot: Slot) -> None:
        """Give a slot back."""
        self._leave(slot)
        self._forget_process(slot)
        del self.by_wid[slot.wid]
        self.previous_generation.discard(slot.wid)
        self.never_spawned -= not slot.has_spawned
        self.not_yet_ready -= not slot.was_ready
        if self.by_wid:
            heapq.heappush(self.free_wids, slot.wid)
        else:
            self.free_wids.clear()
            self.top_wid = 0

    def outdate(self, slot: Slot, why: ExitReason) -> None:
        """Mark a running slot as out of date; one that is not ready is the first to go."""
        if slot.wid not in self.current:
            return
        self._leave(slot)
        slot.outdated = why
        self._enter(slot)
        if not slot.ready:
            self.outdated.move_to_end(slot.wid, last=False)

    def mark_ready(self, slot: Slot) -> None:
        """Count a current process as ready."""
        self.ready += not slot.ready
        self.not_yet_ready -= not slot.was_ready
        slot.ready = slot.was_ready = True
        self.changed.add(slot.wid)

    def make_current(self, slot: Slot) -> None:
        """Let a slot without a process belong to the present generation."""
        self.previous_generation.discard(slot.wid)
        slot.generation, slot.outdated = self.generation, None
        self.changed.add(slot.wid)

    def start_over(self, slot: Slot) -> None:
        """Let nothing that a slot without a process has been through count any more."""
        self.make_current(slot)
        slot.retry_at, slot.ready_by = 0.0, None
        slot.forget_deaths()
        slot.failed_tries = slot.spawn_failures = slot.unready_ends = 0
        self.never_spawned += slot.has_spawned
        self.not_yet_ready += slot.was_ready
        slot.has_spawned = slot.was_ready = False

    def count_as_spawned(self, slot: Slot, *, was_ready: bool) -> None:
        """Know of a slot without a process that it has had one, and maybe a ready one."""
        self.never_spawned -= not slot.has_spawned
        self.not_yet_ready -= was_ready and not slot.was_ready
        slot.has_spawned, slot.was_ready = True, was_ready or slot.was_ready

    def begin_generation(self, generation: int | None = None) -> None:
        """Let every slot be of an older generation than this, or than the next."""
        self.generation = self.generation + 1 if generation is None else generation
        self.outdated_spawns = len(self.spawning)
        self.previous_generation = set(self.by_wid)

    def settle_in(self, slot: Slot, generation: int) -> None:
        """Put a process that ran before it was known where its age and generation belong."""
        before_it = next(islice(reversed(self.current.values()), 1, None), slot)
        if before_it.started_at > slot.started_at:
            self.current = _by_age(self.current.values())
        if generation != self.generation:
            slot.generation = generation
            self.previous_generation.add(slot.wid)
            self.outdate(slot, ExitReason.RELOADED)

    def reinstate_outdated(self) -> list[tuple[Slot, ExitReason | None]]:
        """Let what runs be current, whatever its age, and what is on its way be out of date.

        Returns those that were outdated, and why they were.
        """
        self.begin_generation()
        outdated = [(slot, slot.outdated) for slot in self.outdated.values()]
        self.outdated.clear()
        self.current = _by_age((*self.current.values(), *(slot for slot, _ in outdated)))
        self.ready = sum(slot.ready for slot in self.current.values())
        for slot in self.current.values():
            self.make_current(slot)
        return outdated

    def _index(self, slot: Slot) -> dict[int, Slot]:
        match slot.phase:
            case Phase.WAITING:
                return self.waiting
            case Phase.ASKING:
                return self.asking
            case Phase.SPAWNING:
                return self.spawning
            case Phase.RUNNING:
                return self.current if slot.outdated is None else self.outdated
            case Phase.STOPPING:
                return self.stopping
            case Phase.ENDED:
                return self.ended

    def _leave(self, slot: Slot) -> None:
        del self._index(slot)[slot.wid]
        if slot.phase is Phase.WAITING:
            self.changed.add(slot.wid)
        if slot.phase is Phase.SPAWNING:
            self.outdated_spawns -= slot.generation != self.generation
        elif slot.phase is Phase.RUNNING and slot.outdated is None:
            self.ready -= slot.ready
            self.unapproved.discard(slot.wid)

    def _enter(self, slot: Slot) -> None:
        self._index(slot)[slot.wid] = slot
        if slot.phase is Phase.WAITING or slot.phase is Phase.STOPPING:
            self.changed.add(slot.wid)
        if slot.phase is Phase.SPAWNING:
            self.outdated_spawns += slot.generation != self.generation
        elif slot.phase is Phase.RUNNING:
            self.by_pid[slot.pid] = slot
            self.never_spawned -= not slot.has_spawned
            slot.has_spawned = True
            self.ready += slot.ready and slot.outdated is None
            if slot.needs_approval and slot.outdated is None:
                self.unapproved.add(slot.wid)
        elif slot.phase is Phase.ENDED:
            self._forget_process(slot)

    def _forget_process(self, slot: Slot) -> None:
        if self.by_pid.get(slot.pid) is slot:
            del self.by_pid[slot.pid]


def _by_age(running: Iterable[Slot]) -> OrderedDict[int, Slot]:
    return OrderedDict((slot.wid, slot) for slot in sorted(running, key=_age_of))


def _age_of(slot: Slot) -> float:
    return slot.started_at
