"""What tests of the system room share: an event loop to run, and processes under it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.processes.local import LocalProcesses
from cvec_circus_core.system.processes.local_owner import pidfd_processes, thread_processes
from tests.spawned import spawned

LIMIT = 30.0


class Yard:
    """Processes under a loop that runs only while a test waits for a fact."""

    def __init__(self, loop: asyncio.AbstractEventLoop, processes: LocalProcesses) -> None:
        self.loop = loop
        self.processes = processes
        self.told: list[tuple[int, Exit]] = []

    def spawn(self, script: str, *, contain: bool = False) -> int:
        """Start a shell script."""
        env = {"PATH": os.environ["PATH"]}
        plan = LaunchPlan(argv=("/bin/sh", "-c", script), env=env, contain=contain)
        return spawned(self.processes, plan, self._tell)

    def until(self, fact: Callable[[], bool]) -> None:
        """Run the loop until something is so."""
        ends_at = time.monotonic() + LIMIT
        while not fact():
            assert time.monotonic() < ends_at, f"not so after {LIMIT} s"
            self.loop.call_later(0.002, self.loop.stop)
            self.loop.run_forever()

    def _tell(self, pid: int, ended: Exit) -> None:
        self.told.append((pid, ended))


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(params=[pidfd_processes, thread_processes], ids=["pidfd", "thread"])
def yard(request: pytest.FixtureRequest, loop: asyncio.AbstractEventLoop) -> Iterator[Yard]:
    processes: LocalProcesses = request.param(loop)
    yield Yard(loop, processes)
    processes.close()


@pytest.fixture
def pid_in(tmp_path: Path) -> Callable[[str], int]:
    """Return the pid that a script has written into a file of the test's folder; 0 before that."""

    def read(name: str) -> int:
        try:
            return int((tmp_path / name).read_text() or 0)
        except (FileNotFoundError, ValueError):
            return 0

    return read
