"""A daemon under a keeper, and its brain."""

from __future__ import annotations

import os
import signal
from typing import Any

import psutil

from tests.live.daemon import Daemon, until


class Kept(Daemon):
    """A daemon under a keeper."""

    def __init__(self, body: str, *flags: str, circus: str = "", **options: Any) -> None:
        super().__init__(body, *flags, circus=f"{circus}\nkeeper = True", **options)

    def brain(self) -> int:
        """Return the pid of the present brain."""
        for child in psutil.Process(self.process.pid).children():
            try:
                if "--kept" in child.cmdline():
                    return child.pid
            except psutil.NoSuchProcess:
                continue
        return 0

    def kill_brain(self, signum: int = signal.SIGKILL) -> None:
        """Kill the brain, and wait until another one answers."""
        pid, count = self.brain(), self.text().count("now waiting for commands")
        os.kill(pid, signum)
        until(lambda: self.text().count("now waiting for commands") > count)
        assert self.ok("list")
