"""Descriptors in a row from 3 on, for programs that ask for LISTEN_FDS.

Such a program only believes a LISTEN_PID that is its own pid, which nobody knows before the fork.
So the child itself puts the descriptors in their places and runs the program, between Popen's fork
and Popen's exec. Where that fails it puts everything back, and Popen's own attempt, which then
fails for the same reason, tells the parent why.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.processes.descriptors import open_descriptors

FIRST = 3


class ListenFds(NamedTuple):
    """What the child does last. ``sealed``: nothing else of the parent passes exec."""

    plan: LaunchPlan
    descriptors: tuple[int, ...]
    sealed: bool

    def prepare(self) -> Callable[[], None]:
        """Get out of the way what is in the places; return what does the rest.

        Takes numbers that a limit may forbid which has yet to be set.
        """
        free = FIRST + len(self.descriptors)
        # A place may be that of another one of the row, or of the pipe that Popen reports through.
        copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, free) for fd in self.descriptors]
        before = {place: _moved(place, free) for place in range(FIRST, free)}
        if not self.sealed:
            for fd in open_descriptors():
                if fd >= free:
                    _close_at_exec(fd)
        return partial(self._run, copies, before)

    def _run(self, copies: list[int], before: dict[int, int | None]) -> None:
        """Run the program; return where it can not be run."""
        plan = self.plan
        for place, copy in zip(before, copies, strict=True):
            os.dup2(copy, place)
        try:
            env = {**plan.env, "LISTEN_PID": str(os.getpid())}
            os.execvpe(plan.executable or plan.argv[0], plan.argv, env)
        except (OSError, ValueError):
            for place, old in before.items():
                if old is None:
                    os.close(place)
                else:
                    os.dup2(old, place, inheritable=False)


def _moved(fd: int, least: int) -> int | None:
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, least)
    except OSError:
        return None


def _close_at_exec(fd: int) -> None:
    try:
        os.set_inheritable(fd, False)
    except OSError:
        return
