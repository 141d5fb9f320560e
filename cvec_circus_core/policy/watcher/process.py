"""One process from spawn to end: it starts, is asked to go, is killed, ends, is tried again.

A process that ends unasked leaves its slot waiting: for nothing after a first death, longer and
longer after quick ones. One that is not to be replaced has ended for good: its slot is given back
and the target is one less (`finished`); where respawn is off, the same goes for one that is stopped
by hand or grows too old.

What a death or a failed start means for the watcher is judged in `verdicts.py`.
"""

from __future__ import annotations

from itertools import islice

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.policy.watcher.alarms import AlarmKind
from cvec_circus_core.policy.watcher.backoff import expiry
from cvec_circus_core.policy.watcher.effects import Emit, Reach, Signal
from cvec_circus_core.policy.watcher.facts import ProcessEnded, ProcessStarted
from cvec_circus_core.policy.watcher.inputs import Exited, Spawned
from cvec_circus_core.policy.watcher.slots import Phase, Slot
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.tickets import note_ended, note_spawned

_SIGKILL = 9


def note_started(
    state: WatcherState, spawned: Spawned, now: float, *, needs_approval: bool
) -> Slot:
    """Take a new process in; one that a reload has overtaken is out of date at once."""
    slot = state.slots.by_wid[spawned.wid]
    slot.begin_process(spawned.pid, now)
    slot.needs_approval, slot.is_serving = needs_approval, spawned.is_serving
    state.slots.move(slot, Phase.RUNNING)
    if slot.generation == state.slots.generation:
        slot.expires_at = expiry(now, spawned.chance, state.spec)
        if slot.expires_at is not None:
            state.wake(slot.expires_at, AlarmKind.EXPIRE, slot)
    note_spawned(state, spawned.pid)
    state.issue(Emit(events.ProcessSpawned(state.spec.name, slot.wid, spawned.pid)))
    state.note(ProcessStarted(slot))
    return slot


def note_expired(state: WatcherState, slot: Slot) -> None:
    """Let a process be replaced because of its age, or end for good where respawn is off.

    One that is not ready yet has to be that first: else none would ever be replaced where processes
    are to live for a shorter time than it takes to be ready and to settle.
    """
    if not slot.ready:
        return
    state.slots.outdate(slot, ExitReason.EXPIRED)
    if not state.spec.respawn:
        finish(state)


def note_exited(state: WatcherState, exited: Exited, now: float) -> None:
    """Tell of the end of a process."""
    slot = state.slots.by_pid[exited.pid]
    was_asked = slot.phase is Phase.STOPPING
    was_to_go = was_asked or slot.outdated is not None
    if not was_to_go and state.is_replacing and not slot.was_ready:
        # The rollout answers for it; what counts deaths of what should be up must not.
        slot.exit_reason = ExitReason.UNREADY
    grace = grace_of(state)
    if was_asked:
        grace = 0.0 if slot.kill_at is None else max(0.0, slot.kill_at - now)
    state.last_exit = exited.code
    if not was_asked:
        state.last_death = exited.code
    state.slots.move(slot, Phase.ENDED)
    note_ended(state, exited.pid)
    name = state.spec.name
    state.issue(
        Emit(events.ProcessReaped(name, slot.wid, exited.pid, exited.code, slot.exit_reason))
    )
    state.note(
        ProcessEnded(
            slot,
            exited.pid,
            exited.code,
            was_to_go,
            exited.left_behind,
            grace,
            exited.address_in_use,
            exited.address_holder,
            exited.address_is_left,
        )
    )


def ask_to_go(
    state: WatcherState,
    slot: Slot,
    why: ExitReason,
    now: float,
    *,
    signum: int | None = None,
    grace: float | None = None,
) -> None:
    """Send the stop signal to a running process, and start its grace."""
    state.slots.move(slot, Phase.STOPPING)
    slot.exit_reason = why
    slot.kill_at = now + grace_of(state, grace)
    state.wake(slot.kill_at, AlarmKind.KILL, slot)
    number = state.spec.stop_signal if signum is None else signum
    _signal(state, slot, number, asks_to_go=number != _SIGKILL)


def ask_again(
    state: WatcherState, slot: Slot, now: float, signum: int | None, grace: float | None
) -> None:
    """Send a process that is going already another signal, or shorten its grace."""
    if slot.kill_at is None:
        return
    if signum == _SIGKILL:
        kill_now(state, slot)
        return
    if grace is not None and now + grace < slot.kill_at:
        slot.kill_at = now + grace
        state.wake(slot.kill_at, AlarmKind.KILL, slot)
    if signum is not None:
        _signal(state, slot, signum)


def grace_of(state: WatcherState, grace: float | None = None) -> float:
    """Return the seconds between the stop signal and SIGKILL, where a caller names some or not."""
    if state.kill_at_once:
        return 0.0
    return state.spec.graceful_timeout if grace is None else grace


def kill_now(state: WatcherState, slot: Slot) -> None:
    """Send SIGKILL to a process that was asked to go, and to its whole tree."""
    if slot.kill_at is None or slot.phase is not Phase.STOPPING:
        return
    slot.kill_at = None
    if slot.exit_reason is not ExitReason.WATCHDOG:
        slot.exit_reason = ExitReason.KILLED
    state.issue(Signal(slot.pid, _SIGKILL, Reach.TREE))
    state.issue(Emit(events.ProcessSignalled(state.spec.name, slot.wid, slot.pid, _SIGKILL)))


def _signal(state: WatcherState, slot: Slot, signum: int, *, asks_to_go: bool = False) -> None:
    reach = Reach.CHILDREN if state.spec.stop_children else Reach.PROCESS
    state.issue(Signal(slot.pid, signum, reach, asks_to_go=asks_to_go))
    state.issue(Emit(events.ProcessSignalled(state.spec.name, slot.wid, slot.pid, signum)))


def finish(state: WatcherState) -> None:
    """Want one process less, unless the one that has ended was too many anyway."""
    state.finished += state.slots.coming < state.target


def retry_later(state: WatcherState, slot: Slot, pause: float, now: float) -> None:
    """Let a slot whose process has ended be tried again after a pause."""
    state.slots.make_current(slot)
    state.slots.move(slot, Phase.WAITING)
    slot.serial, slot.retry_at = state.slots.next_serial(), now + pause
    if pause <= 0:
        state.due.append((slot.wid, slot.serial))
    else:
        state.wake(slot.retry_at, AlarmKind.RETRY, slot)


def drop_idle(state: WatcherState, most: int) -> int:
    """Give back slots that have no process and none on its way, the youngest first."""
    slots = state.slots
    idle = (*reversed(slots.waiting.values()), *reversed(slots.asking.values()))
    dropped = tuple(islice(idle, most)) if most else ()
    for slot in dropped:
        slots.free(slot)
    return len(dropped)


def drop_all_idle(state: WatcherState) -> None:
    """Give back all slots that have no process and none on its way."""
    drop_idle(state, len(state.slots.waiting) + len(state.slots.asking))
