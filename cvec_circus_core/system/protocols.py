"""What the rest of the kernel may ask of the operating system.

A worker need not be our own child: nothing in these Protocols says so, because a later keeper
process will own the workers (docs/design).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.socket_use import Served

OnExit = Callable[[int, Exit], None]
"""Called once per spawned process, in the event loop, with its pid and how it ended."""

OnSwept = Callable[[int], None]
"""Called once per sweep, in the event loop, when nothing of the tree is alive any more."""


class Scope(Enum):
    """Whom a signal goes to."""

    PROCESS = "the process alone"
    CHILDREN = "its direct children"
    TREE = "the process and all its descendants"


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

    def spawn(self, plan: LaunchPlan, on_exit: OnExit) -> int:
        """Start a process in a session of its own and return its pid.

        ``on_exit`` is called exactly once, later, from the event loop. Raises `CannotSpawn`, whose
        text says what is missing.
        """

    def signal(self, pid: int, signum: int, scope: Scope = Scope.PROCESS) -> bool:
        """Send a signal to a spawned process; return whether anybody was there to get it.

        A pid that has ended already gets nothing, even if the number is used again. Raises
        `SystemProblem` where the system refuses.
        """

    def signal_child(self, pid: int, childpid: int, signum: int) -> bool:
        """Send a signal to one direct child of a spawned process.

        Returns False where ``childpid`` is no child of it. Raises `SystemProblem`.
        """

    def finish(
        self, pid: int, signum: int, served: Served, patience: float, send: Callable[[], None]
    ) -> None:
        """Call ``send`` once the process can be sent a signal without anybody's request being lost.

        That is at once where it handles the signal itself, or where it can not be seen whether it
        is answering anybody at these sockets; else when it is not, or the patience is over. A
        process that ends by itself meanwhile is sent nothing.
        """

    def sweep(self, pid: int, signum: int, grace: float, on_swept: OnSwept) -> None:
        """Stop what an ended process left behind.

        Every descendant that is still alive gets ``signum``, and SIGKILL after ``grace`` seconds.
        """

    def alive(self) -> frozenset[int]:
        """Return the pids that were spawned and have not been reported as ended."""
