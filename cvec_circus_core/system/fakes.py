"""A clock and processes that live in memory, for tests that take no time.

They pass the same contract tests as the real ones (tests/contracts). Time moves only by
`FakeClock.advance`; exits are told only by `FakeProcesses.deliver`, as the event loop would tell
them later and never inside the call that caused them.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from signal import SIGKILL

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan, Served, Stdio
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.system.protocols import (
    ORPHANS,
    OnGone,
    OnServing,
    OnSignalled,
    OnSpawned,
    Scope,
    SignalResult,
    SpawnResult,
    ignore_result,
)
from cvec_circus_core.system.state_store import NO_TAKEOVER, OnExit, TakeoverData


class FakeClock:
    """Time that stands still until it is told to move."""

    def __init__(self, now: float = 0.0, wall: float = 1_700_000_000.0) -> None:
        self._now = now
        self._wall_at_zero = wall - now
        self._waits: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._count = 0

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._now

    def wall(self) -> float:
        """Return Unix time, which moves together with `now`."""
        return self._wall_at_zero + self._now

    def wait(self, seconds: float, then: Callable[[], None]) -> Callable[[], None]:
        """Call ``then`` when time has moved on that far; return what cancels it."""
        self._count += 1
        number = self._count
        heapq.heappush(self._waits, (self._now + max(0.0, seconds), number, then))
        return lambda: self._cancelled.add(number)

    def pending(self) -> int:
        """Return how many waits are neither over nor cancelled."""
        return sum(1 for _, number, _ in self._waits if number not in self._cancelled)

    def advance(self, seconds: float) -> None:
        """Move on, ending waits in their order, each at its own moment."""
        until = self._now + seconds
        while self._waits and self._waits[0][0] <= until:
            at, number, then = heapq.heappop(self._waits)
            if number in self._cancelled:
                self._cancelled.discard(number)
                continue
            self._now = max(self._now, at)
            then()
        self._now = until
        self._cancelled &= {number for _, number, _ in self._waits}


class Behaviour(Struct, frozen=True, kw_only=True):
    """What a fake process does. Left alone, it runs for ever and dies of any signal.

    ``refuses`` lets the spawn fail with this text, by a ``shortage`` of the machine or not.
    ``ignores`` are signals that do nothing to it, ``forbids`` those that may not be sent to it.
    ``exits_after`` ends it by itself with ``code``; ``dies_in`` is how long it needs to go after a
    signal. ``leaves`` descendants stay alive when it ends; ``leaves_stubborn`` more of them go by
    SIGKILL only.
    """

    refuses: str | None = None
    shortage: bool = False
    ignores: frozenset[int] = frozenset()
    forbids: frozenset[int] = frozenset()
    exits_after: float | None = None
    code: int = 0
    dies_in: float = 0.0
    leaves: int = 0
    leaves_stubborn: int = 0


class _Running(Struct):
    plan: LaunchPlan
    behaviour: Behaviour
    on_exit: OnExit
    ended: Exit | None = None
    cancels: list[Callable[[], None]] = field(default_factory=list)


class FakeProcesses:
    """Processes in memory.

    ``plans`` and ``stdio`` hold what every spawn was given, by pid, ``signals`` all that was sent.
    Set ``behaviour`` for all later spawns, or give ``behave`` to choose by plan. With
    ``answers_later`` spawns and signals are answered by `deliver`, as an owner in another process
    would answer them.
    """

    def __init__(
        self,
        clock: FakeClock | None = None,
        *,
        behave: Callable[[LaunchPlan], Behaviour] | None = None,
        first_pid: int = 1000,
        answers_later: bool = False,
    ) -> None:
        self.clock = clock or FakeClock()
        self.behaviour = Behaviour()
        self.behave = behave
        self.answers_later = answers_later
        self.plans: dict[int, LaunchPlan] = {}
        self.stdio: dict[int, Stdio] = {}
        self.signals: list[tuple[int, int, Scope]] = []
        self._next_pid = first_pid
        self._refuses_spawns = False
        self._running: dict[int, _Running] = {}
        self._left: dict[int, tuple[int, int]] = {}
        self._unserving: dict[int, OnServing] = {}
        self._outbox: deque[Callable[[], None]] = deque()

    def spawn(
        self,
        plan: LaunchPlan,
        stdio: Stdio,
        on_spawned: OnSpawned,
        on_exit: OnExit,
        takeover: TakeoverData = NO_TAKEOVER,
    ) -> None:
        """Start a process that exists in memory only."""
        behaviour = self.behave(plan) if self.behave else self.behaviour
        if self._refuses_spawns:
            self._answer(lambda: on_spawned(SpawnResult(None, "the daemon is ending")))
            return
        if behaviour.refuses is not None:
            refusal = SpawnResult(None, behaviour.refuses, behaviour.shortage)
            self._answer(lambda: on_spawned(refusal))
            return
        pid, self._next_pid = self._next_pid, self._next_pid + 1
        self.plans[pid], self.stdio[pid] = plan, stdio
        self._running[pid] = _Running(plan, behaviour, on_exit)
        self._answer(lambda: on_spawned(SpawnResult(pid)))
        if behaviour.exits_after is not None:
            self._end_later(pid, behaviour.exits_after, behaviour.code)

    def signal(
        self,
        pid: int,
        signum: int,
        scope: Scope = Scope.PROCESS,
        on_signalled: OnSignalled = ignore_result,
    ) -> None:
        """Send a signal; a fake process has no children before it ends."""
        result = self._signalled(pid, signum, scope)
        self._answer(lambda: on_signalled(result))

    def _signalled(self, pid: int, signum: int, scope: Scope) -> SignalResult:
        running = self._running.get(pid)
        if running is None or running.ended is not None:
            return SignalResult(False)
        self.signals.append((pid, signum, scope))
        if scope is Scope.CHILDREN:
            return SignalResult(False)
        if signum in running.behaviour.forbids:
            return SignalResult(False, f"process {pid} belongs to another user")
        if signum == SIGKILL:
            self.crash(pid, -signum)
        elif signum and signum not in running.behaviour.ignores:
            self._end_later(pid, running.behaviour.dies_in, -signum)
        return SignalResult(True)

    def signal_child(
        self, pid: int, child_pid: int, signum: int, on_signalled: OnSignalled = ignore_result
    ) -> None:
        """Send a signal to one child, of which there are none."""
        self._answer(lambda: on_signalled(SignalResult(False)))

    def signal_when_idle(
        self,
        pid: int,
        signum: int,
        scope: Scope,
        served: Served,
        patience: float,
        on_signalled: OnSignalled = ignore_result,
    ) -> None:
        """Send a signal: a fake process answers nobody."""
        self.signal(pid, signum, scope, on_signalled)

    def tell_when_serving(self, pid: int, served: Served, on_serving: OnServing) -> None:
        """Remember whom to tell; `serve` lets a process serve."""
        if pid in self._running:
            self._unserving[pid] = on_serving

    def serve(self, pid: int) -> None:
        """Let a process wait on its sockets from now on."""
        on_serving = self._unserving.pop(pid, None)
        if on_serving is not None:
            self._outbox.append(lambda: self._tell_serving(pid, on_serving))

    def _tell_serving(self, pid: int, on_serving: OnServing) -> None:
        if pid in self._running:
            on_serving(pid)

    def kill_leftovers(self, pid: int, signum: int, grace: float, on_gone: OnGone) -> None:
        """Stop what an ended process left behind."""
        _, stubborn = self._left.pop(pid, (0, 0))
        self._gone_later(pid, on_gone, grace if stubborn and signum != SIGKILL else 0.0)

    def kill_orphans(self, signum: int, grace: float, on_gone: OnGone) -> None:
        """Stop what belongs to nobody: all that ended processes have left behind."""
        stubborn = any(children[1] for children in self._left.values())
        self._left.clear()
        self._gone_later(ORPHANS, on_gone, grace if stubborn and signum != SIGKILL else 0.0)

    def _gone_later(self, pid: int, on_gone: OnGone, seconds: float) -> None:
        if seconds > 0:
            self.clock.wait(seconds, lambda: self._outbox.append(lambda: on_gone(pid)))
        else:
            self._outbox.append(lambda: on_gone(pid))

    def alive(self) -> frozenset[int]:
        """Return the pids whose end has not been told."""
        return frozenset(self._running)

    def __contains__(self, pid: int) -> bool:
        """Tell whether a process was spawned and its end has not been told."""
        return pid in self._running

    def refuse_spawns(self) -> None:
        """Start nobody any more."""
        self._refuses_spawns = True

    def close(self) -> None:
        """Tell nothing any more."""
        self._outbox.clear()
        self._running.clear()

    def _answer(self, answer: Callable[[], None]) -> None:
        if self.answers_later:
            self._outbox.append(answer)
        else:
            answer()

    def crash(self, pid: int, code: int = 1) -> None:
        """End a process now, as if by itself; minus a signal number is allowed."""
        running = self._running[pid]
        if running.ended is not None:
            return
        for cancel in running.cancels:
            cancel()
        children = (running.behaviour.leaves, running.behaviour.leaves_stubborn)
        if any(children):
            self._left[pid] = children
        running.ended = Exit(code, left_behind=any(children))
        self._outbox.append(lambda: self._tell(pid))

    def deliver(self) -> int:
        """Tell what has happened, as the event loop would; return how many things that were."""
        delivered = 0
        while self._outbox:
            self._outbox.popleft()()
            delivered += 1
        return delivered

    def _end_later(self, pid: int, seconds: float, code: int) -> None:
        if seconds <= 0:
            self.crash(pid, code)
            return
        cancel = self.clock.wait(seconds, lambda: self.crash(pid, code))
        self._running[pid].cancels.append(cancel)

    def _tell(self, pid: int) -> None:
        running = self._running.pop(pid)
        assert running.ended is not None
        running.on_exit(pid, running.ended)
