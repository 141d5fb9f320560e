"""A new process and its readiness: waiting for it, getting it, and what it says of itself.

Time proves a process that has only to live for a while; the others have to say so, or be seen to.
While it takes the place of another, it has to live for ``settle`` seconds more after that, and
counts as ready then: a release that starts well and dies of its first request replaces nobody.

The time for it (ready_timeout) counts from the first try in a slot, so a process that keeps dying
does not get it anew with each life. When it is over while old processes are to be replaced, the
rollout has failed (`rollouts.py`); at other times the process is taken as it is.

A process under a watchdog that does not ping in time is asked to go by SIGABRT, as systemd does,
which leaves a core to look at.
"""

from __future__ import annotations

from cvec_circus_core.model import events
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.notices import Notice
from cvec_circus_core.model.readiness import Sign
from cvec_circus_core.policy.watcher.alarms import AlarmKind
from cvec_circus_core.policy.watcher.effects import Emit
from cvec_circus_core.policy.watcher.facts import PingMissed
from cvec_circus_core.policy.watcher.process import ask_to_go, finish, note_expired
from cvec_circus_core.policy.watcher.slots import Phase, Slot
from cvec_circus_core.policy.watcher.state import WatcherState

_SIGABRT = 6


def begin_try(state: WatcherState, slot: Slot, now: float) -> None:
    """Let the time run in which a slot has to bring forth a ready process."""
    if slot.ready_by is None and (state.is_replacing or _is_told(state, slot)):
        slot.ready_by = now + _pause(state) + state.spec.ready_timeout
        state.wake(slot.ready_by, AlarmKind.LATE, slot)


def await_ready(state: WatcherState, slot: Slot, now: float) -> None:
    """Wait for the readiness of a process that has just started."""
    spec = state.spec
    if spec.watchdog > 0:
        slot.ping_interval = spec.watchdog
        _expect_ping(state, slot, max(now + spec.watchdog, slot.ready_by or now))
    if _is_told(state, slot):
        # The time may have run out before the process was there.
        begin_try(state, slot, now)
        return
    if (pause := _pause(state)) <= 0:
        note_ready(state, slot, now)
    else:
        slot.ready_at = now + pause
        state.wake(slot.ready_at, AlarmKind.READY, slot)


def _is_told(state: WatcherState, slot: Slot) -> bool:
    """Tell whether it has to be said, or seen, that a process is ready."""
    ready = state.spec.ready
    return ready.is_told or (ready.sign is Sign.AUTO and slot.is_serving and not state.never_waits)


def _pause(state: WatcherState) -> float:
    """Return how long a process has to live where nothing else proves it."""
    return max(state.spec.ready.seconds, state.spec.warmup_delay)


def note_seen_ready(state: WatcherState, slot: Slot, now: float) -> None:
    """Take in that a process was seen to be ready."""
    state.never_waits = False
    note_ready(state, slot, now)


def note_ready(state: WatcherState, slot: Slot, now: float) -> None:
    """Count a current process as ready, once a hook that is asked about it has agreed."""
    if slot.ready or slot.wid not in state.slots.current:
        return
    if slot.needs_approval:
        slot.is_ready_once_approved = True
        return
    slot.ready_by = None
    if state.is_replacing and state.spec.settle > 0:
        _begin_settling(state, slot, now)
    else:
        _mark_ready(state, slot, now)


def _begin_settling(state: WatcherState, slot: Slot, now: float) -> None:
    if not slot.is_settling:
        slot.is_settling = True
        slot.ready_at = now + state.spec.settle
        state.wake(slot.ready_at, AlarmKind.READY, slot)


def note_lived(state: WatcherState, slot: Slot, now: float) -> None:
    """Take in that a process has lived for as long as it had to."""
    if slot.is_settling:
        _mark_ready(state, slot, now)
    else:
        note_ready(state, slot, now)


def _mark_ready(state: WatcherState, slot: Slot, now: float) -> None:
    slot.is_settling, slot.unready_ends = False, 0
    state.slots.mark_ready(slot)
    if slot.expires_at is not None and slot.expires_at <= now:
        note_expired(state, slot)
    if is_stable(state, slot, now):
        slot.forget_deaths()


def expect_stability(state: WatcherState, slot: Slot, now: float) -> None:
    """Let a slot whose processes have died be forgiven once the new one has lived long enough."""
    if slot.deaths:
        slot.stable_at = now + state.spec.stable_after
        state.wake(slot.stable_at, AlarmKind.STABLE, slot)


def is_stable(state: WatcherState, slot: Slot, now: float) -> bool:
    """Tell whether a process is ready and has lived so long that no death before it counts."""
    return slot.ready and now >= slot.started_at + state.spec.stable_after


def note_stable(state: WatcherState, slot: Slot, now: float) -> None:
    """Forget the deaths of a slot; one that is not ready yet has to be that first."""
    slot.stable_at = None
    if is_stable(state, slot, now):
        slot.forget_deaths()


def take_as_it_is(state: WatcherState, slot: Slot, now: float) -> None:
    """Wait no longer for a process to say that it is ready."""
    if slot.wid in state.slots.current and not slot.ready and not slot.is_ready_once_approved:
        if state.spec.ready.sign is Sign.AUTO:
            # It may have its sockets for something else: do not wait for the next one, either.
            state.never_waits = True
        note_ready(state, slot, now)
        state.issue(Emit(events.NotReady(state.spec.name, slot.wid, slot.pid)))


def note_notice(state: WatcherState, pid: int, notice: Notice, now: float) -> None:
    """Take in what a process has said."""
    slot = state.slots.by_pid.get(pid)
    if slot is None or slot.phase is not Phase.RUNNING:
        return
    if notice.status is not None:
        slot.status = notice.status
    if notice.extension is not None and slot.ready_by is not None:
        slot.ready_by = now + notice.extension
        state.wake(slot.ready_by, AlarmKind.LATE, slot)
    if notice.interval is not None and slot.ping_interval:
        slot.ping_interval = notice.interval
    if notice.ready and not (state.spec.ready.sign is Sign.AUTO and slot.is_serving):
        # Servers say so before their workers have loaded anything: sockets tell better.
        note_ready(state, slot, now)
    if slot.ping_interval and (notice.alive or notice.ready or notice.interval is not None):
        _expect_ping(state, slot, now + slot.ping_interval)
    if notice.troubled:
        state.note(PingMissed(slot))


def _expect_ping(state: WatcherState, slot: Slot, by: float) -> None:
    slot.ping_by = by
    # One alarm is enough while pings arrive: it looks at the moment that counts by then.
    if slot.ping_check_at is None or by < slot.ping_check_at:
        slot.ping_check_at = by
        state.wake(by, AlarmKind.PING, slot)


def check_ping(state: WatcherState, slot: Slot, now: float) -> None:
    """See whether a process has pinged its watchdog."""
    slot.ping_check_at = None
    if now < slot.ping_by:
        _expect_ping(state, slot, slot.ping_by)
    else:
        state.note(PingMissed(slot))


def abort_unresponsive(state: WatcherState, slot: Slot, now: float) -> None:
    """Replace a process that does not ping its watchdog."""
    if slot.phase is not Phase.RUNNING:
        return
    state.restarts += 1
    state.reason = f"process {slot.pid} did not ping its watchdog in {slot.ping_interval:g} s"
    ask_to_go(state, slot, ExitReason.WATCHDOG, now, signum=_SIGABRT)
    if slot.outdated is None and not state.spec.respawn:
        finish(state)
