"""Real processes: children of this one, each leading a session of its own.

A child is in the ledger from its spawn until its end has been told. How its end is heard is the
business of an `ExitWatcher` (exit_watch.py), how it is started that of a `Launcher` (launcher.py),
what it leaves behind that of the `Descendants` (descendants.py).

A death costs the same however many children live: one wake-up, one reap, one look whether the
process group still has members, one call.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable
from functools import partial

from cvec_circus_core.model.errors import CannotSpawn, SystemProblem
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.socket_use import Served
from cvec_circus_core.model.values import Struct
from cvec_circus_core.system.processes.descendants import Descendants
from cvec_circus_core.system.processes.exit_watch import (
    ExitWatcher,
    NotYet,
    PidfdExitWatcher,
    ThreadExitWatcher,
    has_pidfds,
)
from cvec_circus_core.system.processes.launcher import Child, Launcher
from cvec_circus_core.system.processes.process_table import children_of
from cvec_circus_core.system.processes.trees import send
from cvec_circus_core.system.protocols import OnExit, OnSwept, Scope

log = logging.getLogger(__name__)

Defer = Callable[[Callable[[], None]], None]
"""Runs a piece of work soon, when it has its turn."""

_LOOK_AGAIN = 0.05
_HAS_PROC = sys.platform.startswith("linux")


class _Entry(Struct, frozen=True):
    # A dropped Popen is reaped by the next one's constructor, behind our back: keep it.
    child: Child
    on_exit: OnExit


class LocalProcesses:
    """Starts processes, signals them, and tells when they end."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        waiting: ExitWatcher,
        forest: Descendants,
        launcher: Launcher | None = None,
        defer: Defer | None = None,
    ) -> None:
        self._loop = loop
        self._defer = defer
        self._waiting = waiting
        self._forest = forest
        self._launcher = launcher or Launcher()
        self._entries: dict[int, _Entry] = {}
        self.is_ending = False
        """Once set, nobody is started any more, whoever asks for it."""

    def spawn(self, plan: LaunchPlan, on_exit: OnExit) -> int:
        """Start a process in a session of its own and return its pid. Raises `CannotSpawn`."""
        if self.is_ending:
            raise CannotSpawn("the daemon is ending")
        leaf = self._forest.plot(plan.contain)
        mark = self._forest.new_mark()
        try:
            child = self._launcher.launch(plan, leaf, mark)
        except CannotSpawn:
            if leaf is not None:
                leaf.remove()
            raise
        try:
            self._waiting.watch(child.pid, self._woken)
        except OSError as error:
            child.kill()
            child.wait()
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise CannotSpawn(f"can not watch {plan.argv[0]!r}: {reason}") from error
        self._entries[child.pid] = _Entry(child, on_exit)
        self._forest.plant(child.pid, leaf, mark)
        return child.pid

    def signal(self, pid: int, signum: int, scope: Scope = Scope.PROCESS) -> bool:
        """Send a signal; return whether anybody was there to get it. Raises `SystemProblem`."""
        if pid not in self._entries:
            return False
        try:
            if scope is not Scope.PROCESS:
                return self._forest.signal(pid, signum, scope)
            self._waiting.send(pid, signum)
        except ProcessLookupError:
            return False
        except (OSError, ValueError) as error:
            raise SystemProblem(_refusal(pid, signum, error)) from None
        return True

    def signal_child(self, pid: int, childpid: int, signum: int) -> bool:
        """Send a signal to one direct child of a spawned process. Raises `SystemProblem`."""
        if pid not in self._entries:
            return False
        try:
            found = [row for row in children_of(pid) if row.pid == childpid]
            return bool(found) and send(found[0], signum)
        except (OSError, ValueError) as error:
            raise SystemProblem(_refusal(childpid, signum, error)) from None

    def finish(
        self, pid: int, signum: int, served: Served, patience: float, send: Callable[[], None]
    ) -> None:
        """Call ``send`` once that costs nobody a request, in any case after the patience."""
        if not (_HAS_PROC and patience > 0):
            send()
            return
        # Few programs need it, so the others need not have it in memory.
        from cvec_circus_core.system.processes.idle_stop import IdleStop, IdleStopRequest

        farewell = IdleStopRequest(pid, signum, served, partial(self.__contains__, pid), send)
        IdleStop(self._loop, farewell, patience).begin()

    def sweep(self, pid: int, signum: int, grace: float, on_swept: OnSwept) -> None:
        """Stop what an ended process left behind."""
        self._forest.sweep(pid, signum, grace, on_swept)

    def kill_orphans(self, signum: int, grace: float, on_swept: OnSwept) -> None:
        """Stop whatever was given to us as a sub-reaper, and belongs to nobody that runs on."""
        self._forest.kill_orphans(signum, grace, on_swept)

    def __contains__(self, pid: int) -> bool:
        """Tell whether a process was spawned here and has not been reported as ended."""
        return pid in self._entries

    def alive(self) -> frozenset[int]:
        """Return the pids that were spawned and have not been reported as ended."""
        return frozenset(self._entries)

    def close(self) -> None:
        """Stop listening; processes that still run are left alone."""
        self._waiting.close()
        self._forest.close()
        for entry in self._entries.values():
            entry.child.returncode = 0  # keeps Popen from complaining, and from reaping
        self._entries.clear()

    def _woken(self, pid: int) -> None:
        # A thousand may end in one pass of the loop: others shall have their turn meanwhile.
        if self._defer is None:
            self._ended(pid)
        else:
            self._defer(partial(self._ended, pid))

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
        left_behind = self._forest.fell(pid)
        try:
            entry.on_exit(pid, Exit(code, left_behind=left_behind))
        except Exception:
            log.exception("process %d: telling its end failed; going on with the others", pid)


def _refusal(pid: int, signum: int, error: OSError | ValueError) -> str:
    number = getattr(error, "errno", errno.EINVAL)
    if number == errno.EINVAL:
        return f"there is no signal {signum}"
    if number == errno.EPERM:
        return f"process {pid} belongs to another user, who does not let us signal it"
    return f"process {pid} can not be signalled: {os.strerror(number).lower()}"


def pidfd_processes(
    loop: AbstractEventLoop, launcher: Launcher | None = None, defer: Defer | None = None
) -> LocalProcesses:
    """Return processes whose ends are heard by pidfd."""
    forest = Descendants(loop, hears_ends=True)
    return LocalProcesses(loop, PidfdExitWatcher(loop), forest, launcher, defer)


def thread_processes(
    loop: AbstractEventLoop, launcher: Launcher | None = None, defer: Defer | None = None
) -> LocalProcesses:
    """Return processes whose ends are heard by threads."""
    forest = Descendants(loop, hears_ends=False)
    return LocalProcesses(loop, ThreadExitWatcher(loop), forest, launcher, defer)


def subreaper_processes(
    loop: AbstractEventLoop, launcher: Launcher | None = None, defer: Defer | None = None
) -> LocalProcesses:
    """Return processes for one who is a sub-reaper: what they leave behind is always found."""
    hears = has_pidfds()
    forest = Descendants(loop, hears_ends=hears, is_subreaper=True)
    waiting = PidfdExitWatcher(loop) if hears else ThreadExitWatcher(loop)
    return LocalProcesses(loop, waiting, forest, launcher, defer)


def choose_processes(
    loop: AbstractEventLoop, launcher: Launcher | None = None, defer: Defer | None = None
) -> LocalProcesses:
    """Return the better kind for this machine."""
    make = pidfd_processes if has_pidfds() else thread_processes
    return make(loop, launcher, defer)
