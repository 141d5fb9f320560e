"""Processes that have loaded the brain's code and wait for their turn.

Each brain forks one before it does anything else (`system/keeper_client/standby_fork.py`). While an
upgrade is tried there are two: that of the code before is what its failure goes back to, even where
the files of that code are no more. One that dies is missed by nobody: the next brain loads its code
itself.
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.system.processes.local import LocalProcesses
from cvec_circus_core.system.processes.state_file import DAEMON_TITLE
from cvec_circus_core.system.state_store import OnExit

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standby:
    """One that waits."""

    pid: int
    connection: socket.socket
    edition: int
    """Which code it has loaded."""


class Standbys:
    """Those that wait."""

    def __init__(self, processes: LocalProcesses, on_end: OnExit) -> None:
        """``on_end`` is told of the end of one whose turn had come."""
        self._processes = processes
        self._on_end = on_end
        self._waiting: dict[int, Standby] = {}
        self._leaving: set[int] = set()
        self._on_none: Callable[[], None] | None = None

    def add(self, pid: int, connection: socket.socket, edition: int) -> None:
        """Take in one that a brain has forked."""
        try:
            self._processes.adopt(pid, self._ended, title=DAEMON_TITLE)
        except OSError as error:
            log.warning("the standby (pid %d) of the brain is of no use: %s", pid, error)
            connection.close()
            return
        self._dismiss(lambda standby: standby.edition == edition)
        self._waiting[pid] = Standby(pid, connection, edition)

    def take(self, edition: int) -> Standby | None:
        """Return one that has loaded this code, whose turn has come."""
        for standby in self._waiting.values():
            if standby.edition == edition:
                del self._waiting[standby.pid]
                # Where all of circusd's processes were stopped, this one was as well.
                self._processes.signal(standby.pid, signal.SIGCONT)
                return standby
        return None

    def hand_on(self, edition: int) -> list[tuple[int, int]]:
        """Let those that have loaded this code pass exec: pids, and our ends of connections."""
        standbys = [each for each in self._waiting.values() if each.edition == edition]
        for standby in standbys:
            standby.connection.set_inheritable(True)
        return [(standby.pid, standby.connection.fileno()) for standby in standbys]

    def keep_only(self, edition: int) -> None:
        """End those that have loaded other code."""
        self._dismiss(lambda standby: standby.edition != edition)

    def drop_all(self) -> None:
        """End all, because they are of no use."""
        self._dismiss(lambda _: True)

    def end(self, on_none: Callable[[], None]) -> None:
        """End all, and call back when there is none."""
        self.drop_all()
        self._on_none = on_none
        self._tell_if_none()

    def _dismiss(self, is_meant: Callable[[Standby], bool]) -> None:
        for standby in tuple(filter(is_meant, self._waiting.values())):
            del self._waiting[standby.pid]
            self._leaving.add(standby.pid)
            standby.connection.close()
            self._processes.signal(standby.pid, signal.SIGKILL)

    def _ended(self, pid: int, end: Exit) -> None:
        standby = self._waiting.pop(pid, None)
        if standby is not None:
            standby.connection.close()
        elif pid in self._leaving:
            self._leaving.discard(pid)
            self._tell_if_none()
        else:
            self._on_end(pid, end)

    def _tell_if_none(self) -> None:
        if self._on_none is not None and not self._leaving:
            on_none, self._on_none = self._on_none, None
            on_none()
