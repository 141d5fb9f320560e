"""Real processes: children of this one, each leading a session of its own.

A child is in the ledger from its spawn until its end has been told. How its end is heard is the
business of a `Waiting` (waiting.py), how it is started that of a `Launcher` (launching.py), what
stays of it that of the `Undergrowth` (trees.py, sweeping.py).

A death costs the same however many children live: one wake-up, one reap, one look whether the
process group still has members, one call.
"""

from __future__ import annotations

import errno
import logging
import os
from asyncio import AbstractEventLoop
from dataclasses import dataclass

from cvec_circus_core.model.errors import CannotSpawn, SystemProblem
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.launching import Child, Launcher
from cvec_circus_core.system.protocols import OnExit, OnSwept, Scope
from cvec_circus_core.system.waiting import (
    NotYet,
    PidfdWaiting,
    ThreadWaiting,
    Waiting,
    has_pidfds,
)

log = logging.getLogger(__name__)

_LOOK_AGAIN = 0.05


@dataclass(frozen=True, slots=True)
class _Entry:
    # A dropped Popen is reaped by the next one's constructor, behind our back: keep it.
    child: Child
    on_exit: OnExit


class LocalProcesses:
    """Starts processes, signals them, and tells when they end."""

    def __init__(
        self, loop: AbstractEventLoop, waiting: Waiting, launcher: Launcher | None = None
    ) -> None:
        self._loop = loop
        self._waiting = waiting
        self._launcher = launcher or Launcher()
        self._entries: dict[int, _Entry] = {}

    def spawn(self, plan: LaunchPlan, on_exit: OnExit) -> int:
        """Start a process in a session of its own and return its pid. Raises `CannotSpawn`."""
        child = self._launcher.launch(plan)
        try:
            self._waiting.watch(child.pid, self._ended)
        except OSError as error:
            child.kill()
            child.wait()
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise CannotSpawn(f"can not watch {plan.argv[0]!r}: {reason}") from error
        self._entries[child.pid] = _Entry(child, on_exit)
        return child.pid

    def signal(self, pid: int, signum: int, scope: Scope = Scope.PROCESS) -> bool:
        """Send a signal; return whether anybody was there to get it. Raises `SystemProblem`."""
        if pid not in self._entries:
            return False
        try:
            if scope is Scope.TREE:
                os.killpg(pid, signum)
            else:
                self._waiting.send(pid, signum)
        except ProcessLookupError:
            return False
        except OSError as error:
            raise SystemProblem(_refusal(pid, signum, error)) from None
        return True

    def sweep(self, pid: int, signum: int, grace: float, on_swept: OnSwept) -> None:
        """Stop what an ended process left behind."""
        raise NotImplementedError

    def alive(self) -> frozenset[int]:
        """Return the pids that were spawned and have not been reported as ended."""
        return frozenset(self._entries)

    def close(self) -> None:
        """Stop listening; processes that still run are left alone."""
        self._waiting.close()
        for entry in self._entries.values():
            entry.child.returncode = 0  # keeps Popen from complaining, and from reaping
        self._entries.clear()

    def _ended(self, pid: int) -> None:
        if pid not in self._entries:
            return
        try:
            code = self._waiting.collect(pid)
        except NotYet:
            self._loop.call_later(_LOOK_AGAIN, self._ended, pid)
            return
        entry = self._entries.pop(pid)
        entry.child.returncode = 0 if code is None else code
        try:
            entry.on_exit(pid, Exit(code, left_behind=_has_group(pid)))
        except Exception:
            log.exception("process %d: telling its end failed; going on with the others", pid)


def _has_group(pid: int) -> bool:
    """Tell whether the process group that a reaped process led still has members."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _refusal(pid: int, signum: int, error: OSError) -> str:
    if error.errno == errno.EINVAL:
        return f"there is no signal {signum}"
    if error.errno == errno.EPERM:
        return f"process {pid} belongs to another user, who does not let us signal it"
    return f"process {pid} can not be signalled: {error.strerror}"


def pidfd_processes(loop: AbstractEventLoop, launcher: Launcher | None = None) -> LocalProcesses:
    """Return processes whose ends are heard by pidfd."""
    return LocalProcesses(loop, PidfdWaiting(loop), launcher)


def thread_processes(loop: AbstractEventLoop, launcher: Launcher | None = None) -> LocalProcesses:
    """Return processes whose ends are heard by threads."""
    return LocalProcesses(loop, ThreadWaiting(loop), launcher)


def choose_processes(loop: AbstractEventLoop, launcher: Launcher | None = None) -> LocalProcesses:
    """Return the better kind for this machine."""
    make = pidfd_processes if has_pidfds() else thread_processes
    return make(loop, launcher)
