"""Hear from the workers themselves when they started, and when the last one is gone.

Workers write records of 16 bytes into a FIFO. A FIFO and not a datagram socket, because the queue
of the latter holds ten messages and would throttle a quick peer. The moment is in the record, so
the reader may look rarely and need not compete with the peer for the processor.
"""

import fcntl
import os
import select
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

RECORD = struct.Struct("=qq")
PIPE_BYTES = 1 << 20
LOOK_EVERY = 0.002
_HERE = Path(__file__).resolve().parent


class TooSlow(Exception):
    """A peer did not get there in the time allowed."""


class Start(NamedTuple):
    """One worker began: its pid, and when, in monotonic nanoseconds."""

    pid: int
    at: int


def now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


@dataclass(frozen=True, slots=True)
class Worker:
    """The command of the worker, without its FIFO, and a word for the report."""

    words: tuple[str, ...]
    kind: str


def build_worker(folder: Path) -> Worker:
    """Compile the worker into `folder`, or take the Python one where no compiler is."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return Worker((sys.executable, "-I", "-S", str(_HERE / "worker.py")), "Python")
    program = folder / "worker"
    subprocess.run([compiler, "-O2", "-o", program, _HERE / "worker.c"], check=True)
    return Worker((str(program),), "C")


@dataclass(slots=True)
class Starts:
    """The reading end of the FIFO `path`, and the pids that must be alive by what was read."""

    path: Path
    alive: set[int] = field(default_factory=set)
    _fd: int = -1

    def __enter__(self) -> "Starts":
        os.mkfifo(self.path)
        self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self._fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        self.path.unlink(missing_ok=True)

    def forget(self, pids: set[int]) -> None:
        """These have been killed: they are not alive any more."""
        self.alive -= pids

    def wait(self, count: int, limit: float, check: Callable[[], None]) -> list[Start]:
        """The next `count` starts, oldest first; `check` may raise when there is no hope."""
        found: list[Start] = []
        end = time.monotonic() + limit
        while len(found) < count:
            news = self._read()
            found += news
            if not news:
                check()
                if time.monotonic() > end:
                    raise TooSlow(f"{len(found)} of {count} came within {limit:g} s")
                time.sleep(LOOK_EVERY)
        self.alive.update(start.pid for start in found)
        return sorted(found, key=lambda start: start.at)

    def wait_all_gone(self, limit: float) -> int:
        """Wait until no worker lives; tells the moment."""
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        end = time.monotonic() + limit
        while time.monotonic() < end:
            for _, seen in poller.poll(100):
                moment = now_ns()
                if seen & select.POLLHUP and not self._read():
                    self.alive.clear()
                    return moment
        raise TooSlow(f"workers still live {limit:g} s after the order to stop")

    def _read(self) -> list[Start]:
        try:
            data = os.read(self._fd, PIPE_BYTES)
        except BlockingIOError:
            return []
        return [Start(*fields) for fields in RECORD.iter_unpack(data)]
