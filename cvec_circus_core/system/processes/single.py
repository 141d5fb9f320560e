"""One process on its own, without an event loop: for those who use `Process` alone.

Nothing waits for it in the background; its end is seen when somebody looks.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable
from functools import partial

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.launch import AS_PLANNED, LaunchPlan, Stdio
from cvec_circus_core.system.proc import GONE
from cvec_circus_core.system.processes.exit_watch import has_pidfds
from cvec_circus_core.system.processes.launch_files import files_of
from cvec_circus_core.system.processes.launcher import Launcher
from cvec_circus_core.system.processes.process_table import Row, children_of, descendants_of
from cvec_circus_core.system.processes.trees import (
    signal_child,
    signal_children,
    signal_descendants,
)
from cvec_circus_core.system.protocols import Scope


class SingleProcess:
    """A child of ours that its user looks after."""

    def __init__(self, plan: LaunchPlan, stdio: Stdio = AS_PLANNED) -> None:
        """Start it. Raises `CannotSpawn`."""
        child = Launcher().launch(plan, files_of(plan, stdio, {}))
        assert isinstance(child, subprocess.Popen), "only a sealed launcher takes the quick way"
        self._child = child
        self.pid = self._child.pid
        self.started_at = time.monotonic()

    def age(self) -> float:
        """Return the seconds since it was started."""
        return time.monotonic() - self.started_at

    def poll(self) -> int | None:
        """Return the exit code (minus the signal number), or None while it runs."""
        return self._child.poll()

    def is_zombie(self) -> bool:
        """Tell whether it has ended and nobody has collected it yet."""
        if self._child.returncode is not None:
            return False
        try:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.pid, options) is not None
        except ChildProcessError:
            return False

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end, for so many seconds at most; return the exit code or None."""
        if self._child.returncode is None and has_pidfds():
            self._wait_for_pidfd(timeout)
            return self._child.poll()
        try:
            return self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def _wait_for_pidfd(self, timeout: float | None) -> None:
        try:
            pidfd = os.pidfd_open(self.pid)
        except OSError as error:
            if error.errno in GONE:
                return
            raise
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.poll(None if timeout is None else timeout * 1000)
        finally:
            os.close(pidfd)

    def signal(self, signum: int, scope: Scope = Scope.PROCESS) -> None:
        """Signal it, its children, or all of its tree. Raises `SystemProblem`."""
        self._child.poll()
        if scope is not Scope.PROCESS:
            self.signal_below(signum, recursive=scope is Scope.TREE)
        if scope is not Scope.CHILDREN and self._child.returncode is None:
            _or_refusal(partial(self._child.send_signal, signum))

    def signal_below(self, signum: int, *, recursive: bool) -> None:
        """Signal its children, or all descendants. Raises `SystemProblem`."""
        reach = signal_descendants if recursive else signal_children
        _or_refusal(partial(reach, self.pid, signum))

    def signal_child(self, child_pid: int, signum: int) -> bool:
        """Signal one direct child; return whether it is one. Raises `SystemProblem`."""
        return bool(_or_refusal(partial(signal_child, self.pid, child_pid, signum)))

    def children(self, *, recursive: bool = False) -> list[int]:
        """Return the pids of its children, or of all descendants."""
        return [row.pid for row in self._below(recursive=recursive)]

    def _below(self, *, recursive: bool) -> list[Row]:
        return descendants_of([self.pid]) if recursive else children_of(self.pid)


def _or_refusal(act: Callable[[], bool | None]) -> bool | None:
    try:
        return act()
    except ProcessLookupError:
        return False
    except (OSError, ValueError) as error:
        raise SystemProblem(f"the process can not be signalled: {error}") from None
