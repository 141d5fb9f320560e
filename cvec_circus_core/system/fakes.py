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

from cvec_circus_core.model.errors import CannotSpawn
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.socket_use import Served
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.system.protocols import OnExit, OnSwept, Scope


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

    ``refuses`` makes the spawn raise `CannotSpawn` with this text. ``ignores`` are signals that do
    nothing to it. ``exits_after`` ends it by itself with ``code``; ``dies_in`` is how long it needs
    to go after a signal. ``leaves`` descendants stay alive when it ends; ``leaves_stubborn`` more
    of them go by SIGKILL only.
    """

    refuses: str | None = None
    ignores: frozenset[int] = frozenset()
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

    ``plans`` holds the plan of every spawn by pid, ``signals`` all that was sent. Set ``behaviour``
    for all later spawns, or give ``behave`` to choose by plan.
    """

    def __init__(
        self,
        clock: FakeClock | None = None,
        *,
        behave: Callable[[LaunchPlan], Behaviour] | None = None,
        first_pid: int = 1000,
    ) -> None:
        self.clock = clock or FakeClock()
        self.behaviour = Behaviour()
        self.behave = behave
        self.plans: dict[int, LaunchPlan] = {}
        self.signals: list[tuple[int, int, Scope]] = []
        self._next_pid = first_pid
        self._running: dict[int, _Running] = {}
        self._left: dict[int, tuple[int, int]] = {}
        self._outbox: deque[Callable[[], None]] = deque()

    def spawn(self, plan: LaunchPlan, on_exit: OnExit) -> int:
        """Start a process that exists in memory only."""
        behaviour = self.behave(plan) if self.behave else self.behaviour
        if behaviour.refuses is not None:
            raise CannotSpawn(behaviour.refuses)
        pid, self._next_pid = self._next_pid, self._next_pid + 1
        self.plans[pid] = plan
        self._running[pid] = _Running(plan, behaviour, on_exit)
        if behaviour.exits_after is not None:
            self._end_later(pid, behaviour.exits_after, behaviour.code)
        return pid

    def signal(self, pid: int, signum: int, scope: Scope = Scope.PROCESS) -> bool:
        """Send a signal; a fake process has no children before it ends."""
        running = self._running.get(pid)
        if running is None or running.ended is not None:
            return False
        self.signals.append((pid, signum, scope))
        if scope is Scope.CHILDREN:
            return False
        if signum == SIGKILL:
            self.crash(pid, -signum)
        elif signum and signum not in running.behaviour.ignores:
            self._end_later(pid, running.behaviour.dies_in, -signum)
        return True

    def signal_child(self, pid: int, childpid: int, signum: int) -> bool:
        """Send a signal to one child, of which there are none."""
        return False

    def finish(
        self, pid: int, signum: int, served: Served, patience: float, send: Callable[[], None]
    ) -> None:
        """Call ``send``: a fake process answers nobody."""
        send()

    def sweep(self, pid: int, signum: int, grace: float, on_swept: OnSwept) -> None:
        """Stop what an ended process left behind."""
        _, stubborn = self._left.pop(pid, (0, 0))
        told: Callable[[], None] = lambda: on_swept(pid)  # noqa: E731 - a typed value, not a def
        if stubborn and signum != SIGKILL:
            self.clock.wait(grace, lambda: self._outbox.append(told))
        else:
            self._outbox.append(told)

    def alive(self) -> frozenset[int]:
        """Return the pids whose end has not been told."""
        return frozenset(self._running)

    def crash(self, pid: int, code: int = 1) -> None:
        """End a process now, as if by itself; minus a signal number is allowed."""
        running = self._running[pid]
        if running.ended is not None:
            return
        for cancel in running.cancels:
            cancel()
        left = (running.behaviour.leaves, running.behaviour.leaves_stubborn)
        if any(left):
            self._left[pid] = left
        running.ended = Exit(code, left_behind=any(left))
        self._outbox.append(lambda: self._tell(pid))

    def deliver(self) -> int:
        """Tell what has happened, as the event loop would; return how many things that were."""
        told = 0
        while self._outbox:
            self._outbox.popleft()()
            told += 1
        return told

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
