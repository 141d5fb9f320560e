"""When the machine wants to be woken, and what for.

An alarm is never taken back: one that means nothing any more is dropped when its moment has come,
or when there are too many of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from enum import Enum

from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.watcher.slot_table import SlotTable
from cvec_circus_core.policy.watcher.slots import Phase, Slot

_MOST_IDLE = 64
_MOST_IDLE_PER_SLOT = 8
"""Alarms that mean nothing are dropped when there are this many."""


class AlarmKind(Enum):
    """What is to be looked at."""

    RETRY = "a waiting slot is due"
    KILL = "a grace is over"
    READY = "a process has lived long enough"
    EXPIRE = "a process is too old"
    LATE = "a process takes too long to be ready"
    STABLE = "a process has lived so long that deaths before it do not count"
    PING = "the watchdog looks whether a process has pinged"


class Alarms(Struct, eq=False):
    """Alarms of one watcher, the soonest first."""

    heap: list[tuple[float, int, AlarmKind, int]] = field(default_factory=list)
    """Moment, number of the alarm, kind, wid."""
    count: int = 0

    def add(self, at: float, kind: AlarmKind, slot: Slot, slots: SlotTable) -> None:
        """Ask to be woken because of a slot."""
        self.count += 1
        heapq.heappush(self.heap, (at, self.count, kind, slot.wid))
        if len(self.heap) > _MOST_IDLE + _MOST_IDLE_PER_SLOT * len(slots.by_wid):
            self.drop_idle(slots)

    def drop_idle(self, slots: SlotTable) -> None:
        """Drop all that mean nothing: a max_age of a day and a crash loop would pile them up."""
        self.heap = [alarm for alarm in self.heap if _slot_of(alarm, slots)]
        heapq.heapify(self.heap)

    def first(self, slots: SlotTable) -> float | None:
        """Return the moment of the first alarm that means something."""
        while self.heap:
            if _slot_of(self.heap[0], slots) is not None:
                return self.heap[0][0]
            heapq.heappop(self.heap)
        return None

    def pop_due(self, slots: SlotTable, now: float) -> Iterator[tuple[AlarmKind, Slot]]:
        """Take out the alarms whose moment has come, one by one."""
        while self.heap and self.heap[0][0] <= now:
            alarm = heapq.heappop(self.heap)
            slot = _slot_of(alarm, slots)
            if slot is not None:
                yield alarm[2], slot


def _slot_of(alarm: tuple[float, int, AlarmKind, int], slots: SlotTable) -> Slot | None:
    """Return the slot that an alarm was set for, or None where it means nothing now."""
    at, _, kind, wid = alarm
    slot = slots.by_wid.get(wid)
    if slot is None:
        return None
    match kind:
        case AlarmKind.RETRY:
            holds = slot.phase is Phase.WAITING and slot.retry_at == at
        case AlarmKind.KILL:
            holds = slot.kill_at == at
        case AlarmKind.READY:
            holds = slot.ready_at == at and wid in slots.current and not slot.ready
        case AlarmKind.EXPIRE:
            holds = slot.expires_at == at and wid in slots.current
        case AlarmKind.LATE:
            holds = slot.ready_by == at
        case AlarmKind.STABLE:
            holds = slot.stable_at == at and wid in slots.current
        case AlarmKind.PING:
            holds = slot.ping_check_at == at and slot.phase is Phase.RUNNING
    return slot if holds else None
