"""Two ways to hear of a child's end. Both only tell; collecting the status is a second step.

Because the number of a dead child stays taken until its status is collected, and both steps happen
in the event loop's thread, a signal can never hit a stranger that got the number next.

* `PidfdExitWatcher`: the kernel makes a descriptor readable (Linux 5.4 and newer). A death costs
  the same whether ten children live or ten thousand.
* `ThreadExitWatcher`: one small thread per child waits for that child alone. Waiting for *any*
  child would take the exit statuses of an embedding application's own processes.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.processes.lost_exits import exit_of_stranger

log = logging.getLogger(__name__)

_HANDFUL = 32
_STACK = 256 * 1024


class NotYet(Exception):
    """The child has not ended, whatever woke us."""


class ExitWatcher(Protocol):
    """Hears of the ends of children."""

    def watch(self, pid: int, ended: Callable[[int], None], pidfd: int | None = None) -> None:
        """Have ``ended`` called in the event loop when the child has ended. Raises OSError.

        With its pidfd, which is the watcher's then, it may be the child of somebody else.
        """

    def send(self, pid: int, signum: int) -> None:
        """Signal a watched child. Raises OSError."""

    def collect(self, pid: int) -> int | None:
        """Stop watching and return the exit code, None if lost. Raises `NotYet`."""

    def forget(self, pid: int) -> None:
        """Stop watching one that has not ended."""

    def close(self) -> None:
        """Stop watching everybody."""


class PidfdExitWatcher:
    """Hears by pidfd.

    The loop knows one descriptor only: an epoll of ours that holds those of all children. So a
    child costs the loop nothing while it lives, and when a thousand end at once they are heard
    `_HANDFUL` by `_HANDFUL`, with requests and deadlines in between.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._watched: dict[int, tuple[int, Callable[[int], None]]] = {}
        self._pids: dict[int, int] = {}
        self._ends = select.epoll()
        loop.add_reader(self._ends.fileno(), self._woken)

    def watch(self, pid: int, ended: Callable[[int], None], pidfd: int | None = None) -> None:
        """Watch a process from now on."""
        pidfd = nofile.move_up(os.pidfd_open(pid) if pidfd is None else pidfd)
        # Told once: it stays readable until it is closed, and its status may be collected later.
        self._ends.register(pidfd, select.EPOLLIN | select.EPOLLONESHOT)
        self._watched[pid] = pidfd, ended
        self._pids[pidfd] = pid

    def send(self, pid: int, signum: int) -> None:
        """Signal a watched child."""
        signal.pidfd_send_signal(self._watched[pid][0], signum)

    def collect(self, pid: int) -> int | None:
        """Take the status and give the descriptor back."""
        pidfd, _ = self._watched[pid]
        code = collect_status(os.P_PIDFD, pidfd)
        if code is None:
            code = exit_of_stranger(pid, pidfd)
        self.forget(pid)
        return code

    def forget(self, pid: int) -> None:
        """Give the descriptor back."""
        pidfd, _ = self._watched.pop(pid)
        del self._pids[pidfd]
        self._ends.unregister(pidfd)
        os.close(pidfd)

    def close(self) -> None:
        """Forget everybody."""
        if not self._ends.closed:
            self._loop.remove_reader(self._ends.fileno())
            self._ends.close()
        for pidfd in self._pids:
            os.close(pidfd)
        self._watched.clear()
        self._pids.clear()

    def _woken(self) -> None:
        for pidfd, _ in self._ends.poll(0, _HANDFUL):
            pid = self._pids.get(pidfd)
            if pid is not None:
                self._watched[pid][1](pid)


class ThreadExitWatcher:
    """Hears by threads, where there are no pidfds."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._watched: set[int] = set()

    def watch(self, pid: int, ended: Callable[[int], None], pidfd: int | None = None) -> None:
        """Start the child's thread."""
        tell = partial(self._woken, pid, ended)
        waiter = threading.Thread(
            target=_wait_and_tell, args=(pid, self._loop, tell), name=f"wait-{pid}", daemon=True
        )
        usual = threading.stack_size(_STACK)
        try:
            waiter.start()
        except RuntimeError as error:
            raise OSError(str(error)) from None
        finally:
            threading.stack_size(usual)
        self._watched.add(pid)

    def send(self, pid: int, signum: int) -> None:
        """Signal a watched child: its number is its own until we collect it."""
        os.kill(pid, signum)

    def collect(self, pid: int) -> int | None:
        """Take the status."""
        code = collect_status(getattr(os, "P_PID", None), pid)
        self._watched.discard(pid)
        return code

    def forget(self, pid: int) -> None:
        """Take no notice of its end."""
        self._watched.discard(pid)

    def close(self) -> None:
        """Forget everybody. A thread ends with its child, and tells nobody any more."""
        self._watched.clear()

    def _woken(self, pid: int, ended: Callable[[int], None]) -> None:
        if pid in self._watched:
            ended(pid)


def _wait_and_tell(pid: int, loop: AbstractEventLoop, tell: Callable[[], None]) -> None:
    _wait_uncollected(pid)
    try:
        loop.call_soon_threadsafe(tell)
    except RuntimeError:
        log.debug("process %d ended after the event loop was closed", pid)


def _wait_uncollected(pid: int) -> None:
    """Return when a child has ended, leaving its status where it is."""
    if hasattr(os, "waitid"):
        try:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:
            return
        return
    _wait_with_kqueue(pid)


def _wait_with_kqueue(pid: int) -> None:
    kernel: Any = select  # kqueue exists on BSD and macOS only
    queue = kernel.kqueue()
    ends = kernel.kevent(
        pid, kernel.KQ_FILTER_PROC, kernel.KQ_EV_ADD | kernel.KQ_EV_ONESHOT, kernel.KQ_NOTE_EXIT
    )
    try:
        queue.control([ends], 1, None)
    except ProcessLookupError:
        return
    finally:
        queue.close()


def collect_status(kind: int | None, number: int) -> int | None:
    """Reap one child: its exit code, minus its signal, or None if somebody else was faster."""
    try:
        if kind is None or not hasattr(os, "waitid"):
            return _collect_with_waitpid(number)
        result = os.waitid(kind, number, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return None
    if result is None:
        raise NotYet
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def _collect_with_waitpid(pid: int) -> int:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended == 0:
        raise NotYet
    return os.waitstatus_to_exitcode(status)


def has_pidfds() -> bool:
    """Tell whether this kernel, and the sandbox around us, let us use pidfds."""
    if not hasattr(os, "pidfd_open") or not hasattr(os, "P_PIDFD"):
        return False
    try:
        pidfd = os.pidfd_open(os.getpid())
    except OSError:
        return False
    try:
        signal.pidfd_send_signal(pidfd, 0)
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return True
    except OSError:
        return False
    finally:
        os.close(pidfd)
    return True
