"""Slots that wait for their next try."""

from __future__ import annotations

from itertools import islice

from cvec_circus_core.policy.watcher.state import AlarmKind, Phase, Slot, WatcherState


def wait(state: WatcherState, slot: Slot, pause: float, now: float) -> None:
    """Let a slot, which stands under no phase, be tried again after a pause."""
    state.bygone.discard(slot.wid)
    slot.phase, slot.generation, slot.stale = Phase.WAITING, state.generation, None
    slot.serial, slot.due_at = state.next_serial(), now + pause
    state.waiting[slot.wid] = slot
    if pause <= 0:
        state.due.append((slot.wid, slot.serial))
    else:
        state.wake(slot.due_at, AlarmKind.RETRY, slot)


def drop_idle(state: WatcherState, most: int) -> int:
    """Give back slots that have no process and none on its way, the youngest first."""
    idle = (*reversed(state.waiting.values()), *reversed(state.asking.values()))
    dropped = tuple(islice(idle, most)) if most else ()
    for slot in dropped:
        state.leave(slot)
        state.free(slot)
    return len(dropped)


def drop_all_idle(state: WatcherState) -> None:
    """Give back all slots that have no process and none on its way."""
    drop_idle(state, len(state.waiting) + len(state.asking))
