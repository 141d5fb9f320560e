"""No hold outlives us: a process that is stopped by SIGSTOP for a look goes on if we are killed.

A small shell reads from a pipe which processes we hold. When the pipe ends with some still held, we
are gone without having let them go, and the shell sends SIGCONT. It is started at the first hold.
It needs none of our environment, and gets none.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterable
from contextlib import suppress

from cvec_circus_core.system.processes.exit_watch import ExitWatcher
from cvec_circus_core.system.processes.session_stop import wait_or_kill

log = logging.getLogger(__name__)

_SCRIPT = """
trap "" INT TERM HUP QUIT
held=
while read -r pids; do held=$pids; done
[ -z "$held" ] || kill -CONT $held
"""
_SECONDS = 5.0


class HoldGuard:
    """Knows whom we hold, in a process of its own."""

    def __init__(self, exits: ExitWatcher | None = None) -> None:
        """Hear from ``exits`` that somebody has killed it, and start another where it is needed."""
        self._exits = exits
        self._is_watched = False
        self._held: set[int] = set()
        self._shell: subprocess.Popen[bytes] | None = None

    def hold(self, pids: Iterable[int]) -> None:
        """Say whom we are about to hold."""
        self._held.update(pids)
        self._tell()

    def release(self, pids: Iterable[int]) -> None:
        """Say whom we have let go."""
        self._held.difference_update(pids)
        self._tell()

    def close(self) -> None:
        """End the shell; it lets go what is still held."""
        shell, self._shell = self._shell, None
        if shell is None or shell.stdin is None:
            return
        if self._exits is not None and self._is_watched:
            self._exits.forget(shell.pid)
            self._is_watched = False
        shell.stdin.close()
        wait_or_kill(shell.pid, _SECONDS)
        shell.wait()

    def _ended(self, _pid: int) -> None:
        self.close()
        if self._held:
            self._tell()

    def _tell(self) -> None:
        line = " ".join(map(str, sorted(self._held))).encode() + b"\n"
        try:
            self._send(line)
        except OSError:
            # It was killed: a new one knows as much.
            self.close()
            try:
                self._send(line)
            except OSError as error:
                log.warning("nobody lets go who is held, should we be killed: %s", error)

    def _send(self, line: bytes) -> None:
        if self._shell is None:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT],
                bufsize=0,
                env={},
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._watch(self._shell.pid)
        assert self._shell.stdin is not None
        self._shell.stdin.write(line)

    def _watch(self, pid: int) -> None:
        if self._exits is not None:
            with suppress(OSError):
                self._exits.watch(pid, self._ended)
                self._is_watched = True
