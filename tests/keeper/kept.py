"""A daemon under a keeper, and its brain."""

from __future__ import annotations

import os
import signal
from typing import Any

import psutil

from cvec_circus_core.system.keeper_client.standby_fork import NAME
from tests.live.daemon import Daemon, is_alive, until

SERVES = "now waiting for commands"
_PROGRAM = "-m cvec_circus_core.keeper "


def brain_of(keeper: psutil.Process) -> int:
    """Return the pid of a keeper's present brain; 0 where there is none."""
    for child in keeper.children():
        try:
            if "--kept" in child.cmdline() and child.name() != NAME:
                return child.pid
        except psutil.NoSuchProcess:
            continue
    return 0


class Kept(Daemon):
    """A daemon under a keeper."""

    def __init__(self, body: str, *flags: str, circus: str = "", **options: Any) -> None:
        super().__init__(body, *flags, circus=f"{circus}\nkeeper = True", **options)

    def keeper(self) -> int:
        """Return the pid of the present keeper; 0 where there is none."""
        if self._process is not None and self._process.poll() is None:
            return self._process.pid
        keepers = (pid for pid, line in self.alive().items() if _PROGRAM in line)
        return next(filter(is_alive, keepers), 0)

    def kill_keeper(self) -> tuple[int, int]:
        """Kill the keeper, and wait until a brain of another one answers; return both pids."""
        keeper, count = self.keeper(), self.text().count(SERVES)
        os.kill(keeper, signal.SIGKILL)
        if self._process is not None and self._process.pid == keeper:
            self._process.wait()
        until(lambda: self.text().count(SERVES) > count, 60)
        assert self.ok("list")
        return keeper, self.keeper()

    def end(self, limit: float = 60.0) -> None:
        """Have it end in order, also where the keeper is no child of ours."""
        keeper = self.keeper()
        os.kill(keeper, signal.SIGTERM)
        if self._process is not None:
            self._process.wait(limit) if self._process.pid == keeper else self._process.poll()
        until(lambda: not is_alive(keeper), limit)

    def brain(self) -> int:
        """Return the pid of the present brain."""
        keeper = self.keeper()
        return brain_of(psutil.Process(keeper)) if keeper else 0

    def kill_brain(self, signum: int = signal.SIGKILL) -> None:
        """Kill the brain, and wait until another one answers."""
        pid, count = self.brain(), self.text().count(SERVES)
        os.kill(pid, signum)
        until(lambda: self.text().count(SERVES) > count)
        assert self.ok("list")
