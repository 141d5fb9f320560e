"""The port to the operating system: what the rest of the kernel may ask of it.

One owner has the processes and the sockets that they get, and it need not be this process. So
nothing here assumes a direct child: what crosses the port is plain data of the standard library,
descriptors are passed by themselves, and a caller that asks for something is answered by a call.
The owner in this process (`processes/local.py`, `net/owned_sockets.py`) may answer before the
asking call returns; one elsewhere answers later. Ends are never told inside a call.

The contract tests (tests/contracts) hold for this owner, for the fakes, and for one in another
process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.launch import LaunchPlan, Served, Stdio
from cvec_circus_core.system.state_store import (
    NO_TAKEOVER,
    OnExit,
    StateStore,
    TakeoverData,
)


class SpawnResult(NamedTuple):
    """What became of a spawn: the pid, or None and a sentence that says what is missing."""

    pid: int | None
    problem: str = ""
    is_shortage: bool = False
    """Whether the machine, not the plan, is to blame: no memory, processes or descriptors left."""


class SignalResult(NamedTuple):
    """What became of a signal: whether anybody was there to get it, or why it was refused."""

    was_there: bool
    problem: str = ""


OnSpawned = Callable[[SpawnResult], None]
"""Called once per spawn."""

OnSignalled = Callable[[SignalResult], None]
"""Called once per signal."""

OnServing = Callable[[int], None]
"""Called at most once, in the event loop, with the pid of a process that serves its sockets."""

Defer = Callable[[Callable[[], None]], None]
"""Runs a piece of work soon, when it has its turn."""

OnGone = Callable[[int], None]
"""Called once, in the event loop, when nothing of the tree is alive any more."""

ORPHANS = 0
"""Stands for the root of what was orphaned and belongs to no tree."""


class Scope(Enum):
    """Whom a signal goes to."""

    PROCESS = "the process alone"
    CHILDREN = "its direct children"
    FAMILY = "its direct children, and then the process"
    TREE = "the process and all its descendants"


def ignore_result(result: SignalResult) -> None:
    """Take no notice of what became of a signal."""


class Clock(Protocol):
    """Two kinds of time, both in seconds."""

    def now(self) -> float:
        """Return monotonic seconds: for every deadline and age."""

    def wall(self) -> float:
        """Return Unix time: only to be told to people."""

    def wait(self, seconds: float, then: Callable[[], None]) -> Callable[[], None]:
        """Call ``then`` in the event loop after some seconds; return what cancels it."""


class Processes(Protocol):
    """Starts processes, signals them, and tells when they end."""

    def spawn(
        self,
        plan: LaunchPlan,
        stdio: Stdio,
        on_spawned: OnSpawned,
        on_exit: OnExit,
        takeover: TakeoverData = NO_TAKEOVER,
    ) -> None:
        """Start a process in a session of its own.

        ``on_spawned`` is called once, perhaps before this returns. Where it tells a pid,
        ``on_exit`` is called exactly once, after it and from the event loop. The descriptors of
        ``stdio`` may be closed once ``on_spawned`` was called.
        """

    def signal(
        self,
        pid: int,
        signum: int,
        scope: Scope = Scope.PROCESS,
        on_signalled: OnSignalled = ignore_result,
    ) -> None:
        """Send a signal to a spawned process.

        A pid that has ended already gets nothing, even if the number is used again.
        """

    def signal_child(
        self, pid: int, child_pid: int, signum: int, on_signalled: OnSignalled = ignore_result
    ) -> None:
        """Send a signal to one direct child of a spawned process; nobody is there if it is none."""

    def signal_when_idle(
        self,
        pid: int,
        signum: int,
        scope: Scope,
        served: Served,
        patience: float,
        on_signalled: OnSignalled = ignore_result,
    ) -> None:
        """Send a signal once that costs nobody a request.

        That is at once where the process handles the signal itself, or where it can not be seen
        whether it is answering anybody at these sockets; else when it is not, or the patience is
        over. A process that ends by itself meanwhile is sent nothing. One that is stopped (SIGSTOP)
        goes on, so that it can handle what it was sent.
        """

    def tell_when_serving(self, pid: int, served: Served, on_serving: OnServing) -> None:
        """Call back when a process, or a descendant, waits on the managed sockets that it got.

        That is when it sleeps in a call that watches one, or answers somebody already. Where it can
        not be seen, it is told after a second; of one that ended nothing is told.
        """

    def kill_leftovers(self, pid: int, signum: int, grace: float, on_gone: OnGone) -> None:
        """Stop what an ended process left behind.

        Every descendant that is still alive gets ``signum``, and SIGKILL after ``grace`` seconds.
        A second time without grace hurries the first.
        """

    def kill_orphans(self, signum: int, grace: float, on_gone: OnGone) -> None:
        """Stop, in the same way, what was orphaned and belongs to nobody that runs on.

        ``on_gone`` is called with `ORPHANS`.
        """

    def alive(self) -> frozenset[int]:
        """Return the pids that were spawned and have not been reported as ended."""

    def __contains__(self, pid: int) -> bool:
        """Tell whether a process was spawned and has not been reported as ended."""

    def refuse_spawns(self) -> None:
        """Start nobody any more, no matter who asks for it."""

    def close(self) -> None:
        """Stop listening; processes that still run are left alone."""


class Sockets(Protocol):
    """Opens the managed sockets and keeps them, by name, for the processes that get them.

    Opening takes no time, happens at the start and when the configuration changes, and all
    mistakes have to be known before anything is changed: so these answer at once.
    """

    def open(self, plan: BindPlan) -> OpenSocket:
        """Open a socket beside those that are kept. Raises `CannotBind`.

        Nobody gets it before `keep`. One whose file is that of the kept socket of this name stands
        aside until then. Of one with so_reuseport, of which every process gets one of its own, this
        holds the place: bound, without listening.
        """

    def keep(self, number: int) -> None:
        """Keep a socket that was opened, in the place of the one of the same name."""

    def discard(self, number: int) -> None:
        """Close a socket that was opened and not kept."""

    def adjust(self, name: str, plan: BindPlan) -> OpenSocket:
        """Take what a plan says of the queue and the file; the address stays.

        Raises `CannotBind`.
        """

    def close(self, name: str) -> None:
        """Close a kept socket."""

    def watch(self, name: str, on_connection: Callable[[], None]) -> Callable[[], None]:
        """Call back, from the event loop, while somebody waits to be accepted at a kept socket.

        Return what ends that.
        """

    def close_all(self) -> None:
        """Close all, kept or not."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of the processes has the sockets that they get."""

    processes: Processes
    sockets: Sockets
    store: StateStore = field(default_factory=StateStore)
