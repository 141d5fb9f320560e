"""A new process and its readiness: waiting for it, getting it, and what it says of itself.

Time proves a process that has only to live for a while; the others have to say so, or be seen to.
The time for it (ready_timeout) counts from the first try in a slot, so a process that keeps dying
does not get it anew with each life. When it is over while old processes are to be replaced, the
rollout has failed (`renewing.py`); at other times the process is taken as it is.

A process under a watchdog that does not ping in time is asked to go by SIGABRT, as systemd does,
which leaves a core to look at.
"""

from __future__ import annotations

from collections.abc import Iterator

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.notices import Notice
from cvec_circus_core.policy.watcher.effects import Effect, Emit
from cvec_circus_core.policy.watcher.process_stop import ask_to_go, end_for_good
from cvec_circus_core.policy.watcher.state import AlarmKind, Phase, Slot, WatcherState

_SIGABRT = 6


def begin_try(state: WatcherState, slot: Slot, now: float) -> None:
    """Let the time run in which a slot has to bring forth a ready process."""
    ready = state.spec.ready
    if slot.ready_by is None and (state.is_replacing or ready.is_told):
        slot.ready_by = now + _pause(state) + state.spec.ready_timeout
        state.wake(slot.ready_by, AlarmKind.LATE, slot)


def await_ready(state: WatcherState, slot: Slot, now: float) -> None:
    """Wait for the readiness of a process that has just come."""
    spec = state.spec
    if spec.watchdog > 0:
        slot.interval = spec.watchdog
        _expect_ping(state, slot, max(now + spec.watchdog, slot.ready_by or now))
    if spec.ready.is_told:
        # The time may have run out before the process was there.
        begin_try(state, slot, now)
        return
    if (pause := _pause(state)) <= 0:
        on_ready(state, slot)
    else:
        slot.ready_at = now + pause
        state.wake(slot.ready_at, AlarmKind.READY, slot)


def _pause(state: WatcherState) -> float:
    """Return how long a process has to live where nothing else proves it."""
    return max(state.spec.ready.seconds, state.spec.warmup_delay)


def on_ready(state: WatcherState, slot: Slot) -> None:
    """Count an up-to-date process as ready."""
    if slot.ready or slot.wid not in state.fresh:
        return
    if slot.is_held:
        slot.is_ready_when_let = True
        return
    slot.ready, slot.ready_by = True, None
    state.ready += 1
    state.unproven -= not slot.proven
    slot.proven, slot.misses = True, 0


def take_as_it_is(state: WatcherState, slot: Slot) -> Iterator[Effect]:
    """Wait no longer for a process to say that it is ready."""
    if slot.wid in state.fresh and not slot.ready and not slot.is_ready_when_let:
        on_ready(state, slot)
        yield Emit(events.NotReady(state.spec.name, slot.wid, slot.pid))


def on_noticed(state: WatcherState, pid: int, notice: Notice, now: float) -> Iterator[Effect]:
    """Take in what a process has said."""
    slot = state.by_pid.get(pid)
    if slot is None or slot.phase is not Phase.RUNNING:
        return
    if notice.status is not None:
        slot.status = notice.status
    if notice.extension is not None and slot.ready_by is not None:
        slot.ready_by = now + notice.extension
        state.wake(slot.ready_by, AlarmKind.LATE, slot)
    if notice.interval is not None and slot.interval:
        slot.interval = notice.interval
    if notice.ready:
        on_ready(state, slot)
    if slot.interval and (notice.alive or notice.ready or notice.interval is not None):
        _expect_ping(state, slot, now + slot.interval)
    if notice.troubled:
        yield from _bite(state, slot, now)


def _expect_ping(state: WatcherState, slot: Slot, by: float) -> None:
    slot.ping_by = by
    # One alarm is enough while pings come: it looks at the moment that counts by then.
    if slot.watch_at is None or by < slot.watch_at:
        slot.watch_at = by
        state.wake(by, AlarmKind.WATCH, slot)


def on_watch(state: WatcherState, slot: Slot, now: float) -> Iterator[Effect]:
    """See whether a process has pinged its watchdog."""
    slot.watch_at = None
    if now < slot.ping_by:
        _expect_ping(state, slot, slot.ping_by)
    else:
        yield from _bite(state, slot, now)


def _bite(state: WatcherState, slot: Slot, now: float) -> Iterator[Effect]:
    state.restarts += 1
    state.reason = f"process {slot.pid} did not ping its watchdog in {slot.interval:g} s"
    yield from ask_to_go(state, slot, ExitReason.WATCHDOG, now, signum=_SIGABRT)
    if slot.stale is None and not state.spec.respawn:
        end_for_good(state)
