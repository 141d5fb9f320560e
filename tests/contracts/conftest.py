"""The worlds in which the contracts of `Processes`, `Sockets` and `Clock` are tried.

The fakes answer at once or later; the real owner is this process, hearing ends by pidfd or by
threads, or a keeper at the end of a socketpair.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan, Stdio
from cvec_circus_core.system.clock import AsyncioClock
from cvec_circus_core.system.fake_sockets import FakeSocketOwner
from cvec_circus_core.system.fakes import Behaviour, FakeClock, FakeProcesses
from cvec_circus_core.system.keeper_client import keeper_wire
from cvec_circus_core.system.keeper_client.keeper_link import KeeperLink
from cvec_circus_core.system.keeper_client.kept_processes import KeeperStore, KeptProcesses
from cvec_circus_core.system.keeper_client.kept_sockets import KeptSockets
from cvec_circus_core.system.keeper_client.successor import SHARES
from cvec_circus_core.system.net.owned_sockets import OwnedSockets
from cvec_circus_core.system.processes.descriptors import open_descriptors
from cvec_circus_core.system.processes.exit_watch import has_pidfds
from cvec_circus_core.system.processes.local_owner import pidfd_processes, thread_processes
from cvec_circus_core.system.protocols import (
    Clock,
    OnSignalled,
    Owner,
    Processes,
    Scope,
    SignalResult,
    Sockets,
    SpawnResult,
)
from cvec_circus_core.system.state_store import Inventory

LIMIT = 30.0
TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)

SCRIPTS = {
    "runs": "echo ready; exec sleep 60",
    "exits with 0": "exit 0",
    "exits with 3": "exit 3",
    "ignores SIGTERM": "trap '' TERM; echo ready; exec sleep 60",
    "leaves a child": "sleep 60 & exit 0",
    "leaves a stubborn child": "(trap '' TERM; echo ready; exec sleep 60) & exit 0",
    "has a child": "sleep 60 & echo ready; wait",
}
BEHAVIOURS = {
    "runs": Behaviour(),
    "exits with 0": Behaviour(exits_after=0.01),
    "exits with 3": Behaviour(exits_after=0.01, code=3),
    "ignores SIGTERM": Behaviour(ignores=frozenset({TERM})),
    "leaves a child": Behaviour(exits_after=0.01, leaves=1),
    "leaves a stubborn child": Behaviour(exits_after=0.01, leaves_stubborn=1),
    "has a child": Behaviour(),
}


SERVER = (
    "import os, socket, sys\nlistening = socket.socket(fileno=int(sys.argv[1]))\n"
    "os.read(0, 1)\nlistening.setblocking(True)\nlistening.accept()",
    "\0web\0",
)
"""Waits on the socket named web once it has read something."""


class Calls:
    """What every world lets a test do, and wait for: the answers come when they come."""

    clock: Clock
    processes: Processes
    sockets: Sockets
    stdio = Stdio()

    def until(self, fact: Callable[[], bool]) -> None:
        """Let things happen until something is so."""
        raise NotImplementedError

    def plan(self, kind: str) -> LaunchPlan:
        """Return how to start a process that behaves in this way."""
        raise NotImplementedError

    def spawn(self, kind: str, ends: Ends) -> int:
        """Start a process and wait for its pid."""
        result = self.try_to_spawn(self.plan(kind), ends)
        assert result.pid is not None, result.problem
        return result.pid

    def try_to_spawn(self, plan: LaunchPlan, ends: Ends) -> SpawnResult:
        """Start a process and wait for the answer."""
        results: list[SpawnResult] = []

        def on_spawned(result: SpawnResult) -> None:
            results.append(result)
            ends.order.append("spawned")

        self.processes.spawn(plan, self.stdio, on_spawned, ends)
        self.until(lambda: bool(results))
        assert len(results) == 1
        return results[0]

    def signal(self, pid: int, signum: int, scope: Scope = Scope.PROCESS) -> SignalResult:
        """Send a signal and wait for the answer."""
        return self.answer_of(partial(self.processes.signal, pid, signum, scope))

    def answer_of(self, send: Callable[[OnSignalled], None]) -> SignalResult:
        """Wait for the answer of something that sends a signal."""
        results: list[SignalResult] = []
        send(results.append)
        self.until(lambda: bool(results))
        assert len(results) == 1
        return results[0]


class FakeWorld(Calls):
    """Everything in memory."""

    def __init__(self, *, answers_later: bool = False) -> None:
        self.clock = self.fake_clock = FakeClock()
        self.processes = self.fakes = FakeProcesses(
            self.clock, behave=self._behave, answers_later=answers_later
        )
        self.sockets = self.fake_sockets = FakeSocketOwner()

    def plan(self, kind: str) -> LaunchPlan:
        return LaunchPlan(argv=(kind,), env={})

    def broken_plan(self) -> LaunchPlan:
        return LaunchPlan(argv=("/no/such/program",), env={})

    def spawn_server(self, ends: Ends) -> int:
        """Start a process that has the socket named web, and does not wait on it."""
        return self.spawn("runs", ends)

    def serve(self, pid: int) -> None:
        """Let it wait on its socket."""
        self.fakes.serve(pid)

    def bind_plan(self, name: str, **options: Any) -> BindPlan:
        return BindPlan(name=name, **{"host": "127.0.0.1", "port": 0, **options})

    def connect(self, opened: OpenSocket) -> None:
        """Let a client wait to be accepted."""
        self.fake_sockets.connect(opened.name)

    def until(self, fact: Callable[[], bool]) -> None:
        for _ in range(int(LIMIT / 0.01)):
            self.fakes.deliver()
            if fact():
                return
            self.fake_clock.advance(0.01)
        raise AssertionError(f"not so after {LIMIT} s")

    def settle(self, kind: str) -> None:
        self.fakes.deliver()

    def close(self) -> None:
        assert self.fake_clock.pending() == 0

    def _behave(self, plan: LaunchPlan) -> Behaviour:
        program = plan.argv[0]
        if program in BEHAVIOURS:
            return BEHAVIOURS[program]
        return Behaviour(refuses=f"can not start {program!r}: there is no such program")


class RealWorld(Calls):
    """Real processes under a real event loop."""

    def __init__(self, make: Callable[[asyncio.AbstractEventLoop], Owner], tmp: Path):
        self._before = (open_descriptors(), set(threading.enumerate()), _children())
        self.loop = asyncio.new_event_loop()
        self.clock = AsyncioClock(self.loop)
        owner = make(self.loop)
        self.processes, self.sockets = owner.processes, owner.sockets
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self.stdio = Stdio(stdout=self._write)
        self._clients: list[socket.socket] = []
        self._pipes: list[int] = []

    def plan(self, kind: str) -> LaunchPlan:
        return LaunchPlan(
            argv=("/bin/sh", "-c", SCRIPTS[kind]),
            env={"PATH": os.environ["PATH"]},
        )

    def broken_plan(self) -> LaunchPlan:
        return LaunchPlan(argv=("/no/such/program",), env={})

    def spawn_server(self, ends: Ends) -> int:
        """Start a process that has the socket named web, and does not wait on it."""
        plan = LaunchPlan(
            argv=(sys.executable, "-S", "-c", *SERVER), env={}, numbered_sockets=("web",)
        )
        ours, theirs = os.pipe()
        self._pipes.append(theirs)
        before, self.stdio = self.stdio, Stdio(stdin=ours)
        try:
            pid = self.try_to_spawn(plan, ends).pid
        finally:
            self.stdio = before
            os.close(ours)
        assert pid is not None
        return pid

    def serve(self, pid: int) -> None:
        """Let it wait on its socket."""
        os.write(self._pipes[-1], b".")

    def bind_plan(self, name: str, **options: Any) -> BindPlan:
        return BindPlan(name=name, **{"host": "127.0.0.1", "port": 0, **options})

    def connect(self, opened: OpenSocket) -> None:
        """Let a client wait to be accepted."""
        self._clients.append(socket.create_connection((opened.host, opened.port), LIMIT))

    def until(self, fact: Callable[[], bool]) -> None:
        ends_at = self.clock.now() + LIMIT
        while not fact():
            assert self.clock.now() < ends_at, f"not so after {LIMIT} s"
            self.loop.call_later(0.002, self.loop.stop)
            self.loop.run_forever()

    def settle(self, kind: str) -> None:
        """Wait until a script that says so is ready."""
        if "ready" in SCRIPTS[kind]:
            self.until(self._is_said)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.sockets.close_all()
        self.processes.close()
        self.until(lambda: not set(threading.enumerate()) - self._before[1])
        self.loop.close()
        for number in (self._read, self._write, *self._pipes):
            os.close(number)
        assert open_descriptors() == self._before[0]
        assert _children() <= self._before[2]  # no child and no zombie is left

    def _is_said(self) -> bool:
        try:
            return bool(os.read(self._read, 6))
        except BlockingIOError:
            return False


def _children() -> set[tuple[int, float]]:
    """Return the children of this process, zombies too; other tests may have some of their own."""
    return {(one.pid, one.create_time()) for one in psutil.Process().children()}


def by_pidfd(loop: asyncio.AbstractEventLoop) -> Owner:
    sockets = OwnedSockets(loop)
    return Owner(pidfd_processes(loop, sockets=sockets), sockets)


def by_thread(loop: asyncio.AbstractEventLoop) -> Owner:
    sockets = OwnedSockets(loop)
    return Owner(thread_processes(loop, sockets=sockets), sockets)


class OwnKeeper(KeptProcesses):
    """Ends the keeper, which is here for one owner alone."""

    def __init__(
        self, link: KeeperLink, process: subprocess.Popen[bytes], inventory: Inventory
    ) -> None:
        super().__init__(link, inventory=inventory)
        self._keeper_link = link
        self._process = process

    def close(self) -> None:
        self._keeper_link.tell("over")
        self._keeper_link.close()
        assert self._process.wait(LIMIT) == 0


def at_a_keeper(loop: asyncio.AbstractEventLoop) -> Owner:
    ours, theirs = keeper_wire.pair()
    with theirs:
        number = theirs.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.contracts.owner", str(number)], pass_fds=(number,)
        )
    link = KeeperLink(ours)
    inventory = link.inventory()
    assert inventory == Inventory(facts={SHARES: True})
    link.attach(loop)
    processes = OwnKeeper(link, process, inventory)
    sockets = KeptSockets(link, processes.copy)
    return Owner(processes, sockets, KeeperStore(link, processes, inventory))


OWNERS = {"pidfd": by_pidfd, "thread": by_thread, "keeper": at_a_keeper}
World = FakeWorld | RealWorld
_WORLDS = ["fake", "fake, answers later", *OWNERS]


@pytest.fixture(params=_WORLDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made: World
    match request.param:
        case "fake":
            made = FakeWorld()
        case "fake, answers later":
            made = FakeWorld(answers_later=True)
        case name:
            if name == "pidfd" and not has_pidfds():
                pytest.skip("this kernel has no pidfds")
            made = RealWorld(OWNERS[name], tmp_path)
    yield made
    made.close()


class Ends:
    """Collects what is told about ends."""

    def __init__(self) -> None:
        self.told: list[tuple[int, Exit]] = []
        self.order: list[str] = []

    def __call__(self, pid: int, ended: Exit) -> None:
        self.told.append((pid, ended))
        self.order.append("ended")

    def codes(self) -> list[int | None]:
        return [ended.code for _, ended in self.told]


@pytest.fixture
def ends() -> Ends:
    return Ends()
