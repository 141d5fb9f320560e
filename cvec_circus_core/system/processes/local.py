"""Real processes: children of this one, each leading a session of its own.

A child is in the ledger from its spawn until its end has been told. How its end is heard is the
business of an `ExitWatcher` (exit_watch.py), how it is started that of a `Launcher` (launcher.py),
what it leaves behind that of the `Descendants` (descendants.py).

A death costs the same however many children live: one wake-up, one reap, one look whether the
process group still has members, one call.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from cvec_circus_core.model.errors import CannotBind, CannotSpawn
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan, Served, Stdio
from cvec_circus_core.model.shortages import is_shortage
from cvec_circus_core.system.net.owned_sockets import OwnedSockets
from cvec_circus_core.system.processes.descendants import Descendants
from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.processes.exit_watch import (
    ExitWatcher,
    NotYet,
)
from cvec_circus_core.system.processes.hold_guard import HoldGuard
from cvec_circus_core.system.processes.launch_files import files_of
from cvec_circus_core.system.processes.launcher import Child, Launcher
from cvec_circus_core.system.processes.posix_spawn import QuickChild
from cvec_circus_core.system.processes.serving_watch import ServingWatch
from cvec_circus_core.system.processes.signal_results import signal_all
from cvec_circus_core.system.processes.trees import signal_child
from cvec_circus_core.system.protocols import (
    Defer,
    OnGone,
    OnServing,
    OnSignalled,
    OnSpawned,
    Scope,
    SpawnResult,
    ignore_result,
)
from cvec_circus_core.system.state_store import NO_TAKEOVER, OnExit, TakeoverData

log = logging.getLogger(__name__)

_LOOK_AGAIN = 0.05
_UNKILLABLE_FOR = 2.0
"""Seconds that a process may take to go although we were not allowed to kill it."""
_NO_NUMBERS: Mapping[str, int] = {}
_HAS_PROC = sys.platform.startswith("linux")


class _Entry(NamedTuple):
    # A dropped Popen is reaped by the next one's constructor, behind our back: keep it.
    child: Child
    on_exit: OnExit
    sockets: frozenset[int]
    """Inodes of the managed sockets that it got."""


class LocalProcesses:
    """Starts processes, signals them, and tells when they end."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        exits: ExitWatcher,
        descendants: Descendants,
        launcher: Launcher | None = None,
        defer: Defer | None = None,
        sockets: OwnedSockets | None = None,
    ) -> None:
        self._loop = loop
        self._defer = defer
        self._exits = exits
        self._descendants = descendants
        self._launcher = launcher or Launcher()
        self._sockets = sockets or OwnedSockets(loop)
        self._entries: dict[int, _Entry] = {}
        self._serving: ServingWatch | None = None
        self._refuses_spawns = False
        self._guard = HoldGuard(exits)

    def spawn(
        self,
        plan: LaunchPlan,
        stdio: Stdio,
        on_spawned: OnSpawned,
        on_exit: OnExit,
        takeover: TakeoverData = NO_TAKEOVER,
    ) -> None:
        """Start a process in a session of its own; the answer comes before this returns."""
        try:
            names = plan.sockets
            if names:
                with self._sockets.lend(names) as numbers:
                    pid = self._start(plan, stdio, numbers, on_exit, takeover.title)
            else:
                pid = self._start(plan, stdio, _NO_NUMBERS, on_exit, takeover.title)
        except CannotSpawn as error:
            result = SpawnResult(None, str(error), error.is_shortage)
        except CannotBind as error:
            result = SpawnResult(None, str(error), is_shortage(error))
        except Exception as error:
            log.exception("can not start %r", plan.argv[:1])
            result = SpawnResult(
                None, f"unexpected {type(error).__name__}: {error}", is_shortage(error)
            )
        else:
            result = SpawnResult(pid)
        on_spawned(result)

    def _start(
        self,
        plan: LaunchPlan,
        stdio: Stdio,
        numbers: Mapping[str, int],
        on_exit: OnExit,
        title: str,
    ) -> int:
        if self._refuses_spawns:
            raise CannotSpawn("the daemon is ending")
        nofile.check_room()
        files = files_of(plan, stdio, numbers)
        leaf = self._descendants.reserve(plan.contain)
        tag = self._descendants.new_tag()
        try:
            child = self._launcher.launch(plan.with_numbers(numbers), files, leaf, tag)
        except CannotSpawn:
            if leaf is not None:
                leaf.remove()
            raise
        try:
            self._exits.watch(child.pid, self._on_woken)
        except OSError as error:
            child.kill()
            child.wait()
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            sentence = f"can not watch {plan.argv[0]!r}: {reason}"
            raise CannotSpawn(sentence, is_shortage(error)) from error
        inodes = frozenset(map(_inode_of, numbers.values()))
        self._entries[child.pid] = _Entry(child, on_exit, inodes)
        self._descendants.track(child.pid, leaf, tag, title)
        return child.pid

    def adopt(self, pid: int, on_exit: OnExit, pidfd: int | None = None, title: str = "") -> None:
        """Have a process that somebody else has started. Raises OSError where it is gone.

        With a title, it is recorded as one that has begun.
        """
        self._exits.watch(pid, self._on_woken, pidfd)
        self._entries[pid] = _Entry(QuickChild(pid), on_exit, self._sockets.inodes())
        if title:
            self._descendants.track(pid, None, title=title)
        else:
            self._descendants.adopt(pid)

    def signal(
        self,
        pid: int,
        signum: int,
        scope: Scope = Scope.PROCESS,
        on_signalled: OnSignalled = ignore_result,
    ) -> None:
        """Send a signal to a spawned process; the answer comes before this returns."""
        targets: tuple[Callable[[], bool], ...] = ()
        if pid in self._entries:
            to_process = partial(self._signal_process, pid, signum)
            to_children = partial(self._descendants.signal_children, pid, signum)
            match scope:
                case Scope.PROCESS:
                    targets = (to_process,)
                case Scope.CHILDREN:
                    targets = (to_children,)
                case Scope.FAMILY:
                    targets = (to_children, to_process)
                case Scope.TREE:
                    targets = (partial(self._descendants.signal_tree, pid, signum),)
        result = signal_all(targets, pid, signum)
        if result.problem and signum == signal.SIGKILL:
            self._loop.call_later(_UNKILLABLE_FOR, self._give_up, pid, result.problem)
        on_signalled(result)

    def _give_up(self, pid: int, problem: str) -> None:
        """Tell the end of a process that may not be killed: nobody waits for it any more."""
        entry = self._entries.get(pid)
        if entry is None:
            return
        log.error("%s, and it does not go: leaving it", problem)
        self._exits.forget(pid)
        self._forget(pid, entry, None)

    def signal_child(
        self, pid: int, child_pid: int, signum: int, on_signalled: OnSignalled = ignore_result
    ) -> None:
        """Send a signal to one direct child of a spawned process."""
        target = partial(signal_child, pid, child_pid, signum)
        on_signalled(signal_all((target,) if pid in self._entries else (), child_pid, signum))

    def signal_when_idle(
        self,
        pid: int,
        signum: int,
        scope: Scope,
        served: Served,
        patience: float,
        on_signalled: OnSignalled = ignore_result,
    ) -> None:
        """Send a signal once that costs nobody a request, in any case after the patience."""

        def send() -> None:
            self.signal(pid, signum, scope, on_signalled)
            self.signal(pid, signal.SIGCONT, scope)

        if not (_HAS_PROC and served and patience > 0):
            send()
            return
        # Few programs need it, so the others need not have it in memory.
        from cvec_circus_core.system.processes.idle_stop import IdleStop, IdleStopRequest

        request = IdleStopRequest(pid, signum, served, partial(self.__contains__, pid), send)
        IdleStop(self._loop, request, patience, self._guard).begin()

    def tell_when_serving(self, pid: int, served: Served, on_serving: OnServing) -> None:
        """Call back when a process, or a descendant, waits on the managed sockets that it got."""
        if self._serving is None:
            self._serving = ServingWatch(self._loop)
        entry = self._entries.get(pid)
        if entry is not None:
            self._serving.add(pid, served, entry.sockets, lambda _: on_serving(pid))

    def kill_leftovers(self, pid: int, signum: int, grace: float, on_gone: OnGone) -> None:
        """Stop what an ended process left behind."""
        self._descendants.kill_leftovers(pid, signum, grace, on_gone)

    def kill_orphans(self, signum: int, grace: float, on_gone: OnGone) -> None:
        """Stop whatever was given to us as a sub-reaper, and belongs to nobody that runs on."""
        self._descendants.kill_orphans(signum, grace, on_gone)

    def __contains__(self, pid: int) -> bool:
        """Tell whether a process was spawned here and has not been reported as ended."""
        return pid in self._entries

    def alive(self) -> frozenset[int]:
        """Return the pids that were spawned and have not been reported as ended."""
        return frozenset(self._entries)

    def refuse_spawns(self) -> None:
        """Start nobody any more, no matter who asks for it."""
        self._refuses_spawns = True

    def close(self) -> None:
        """Stop listening; processes that still run are left alone."""
        self._guard.close()
        self._exits.close()
        self._descendants.close()
        if self._serving is not None:
            self._serving.close()
        for entry in self._entries.values():
            entry.child.returncode = 0  # keeps Popen from complaining, and from reaping
        self._entries.clear()

    def _signal_process(self, pid: int, signum: int) -> bool:
        self._exits.send(pid, signum)
        return True

    def _on_woken(self, pid: int) -> None:
        # A thousand may end in one pass of the loop: others shall have their turn meanwhile.
        if self._defer is None:
            self._on_ended(pid)
        else:
            self._defer(partial(self._on_ended, pid))

    def _on_ended(self, pid: int) -> None:
        if pid not in self._entries:
            return
        try:
            code = self._exits.collect(pid)
        except NotYet:
            self._loop.call_later(_LOOK_AGAIN, self._on_ended, pid)
            return
        self._forget(pid, self._entries[pid], code)

    def _forget(self, pid: int, entry: _Entry, code: int | None) -> None:
        del self._entries[pid]
        if self._serving is not None:
            self._serving.discard(pid)
        entry.child.returncode = 0 if code is None else code
        left_behind = self._descendants.forget(pid)
        try:
            entry.on_exit(pid, Exit(code, left_behind=left_behind))
        except Exception:
            log.exception("process %d: telling its end failed; going on with the others", pid)


def _inode_of(fd: int) -> int:
    return os.fstat(fd).st_ino
