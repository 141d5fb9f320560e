"""Whoever is held by SIGSTOP goes on when the holder is killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from cvec_circus_core.system.processes.exit_watch import PidfdExitWatcher, has_pidfds
from cvec_circus_core.system.processes.hold_guard import HoldGuard
from tests.programs import wait_until

pytestmark = pytest.mark.live

LIMIT = 30.0
HOLDER = """
import os, signal, sys, time
from cvec_circus_core.system.processes.hold_guard import HoldGuard
held, free = map(int, sys.argv[1:])
guard = HoldGuard()
guard.hold([held, free])
os.kill(held, signal.SIGSTOP)
os.kill(free, signal.SIGSTOP)
guard.release([free])
print("held", flush=True)
time.sleep(1000)
"""


@pytest.fixture
def sleepers() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes = [subprocess.Popen(["sleep", "1000"]) for _ in range(2)]
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def is_stopped(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a process stands still."""
    return bool(psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_hold_does_not_outlive_the_holder(
    sleepers: list[subprocess.Popen[bytes]], signum: int
) -> None:
    held, free = sleepers
    command = [sys.executable, "-c", HOLDER, str(held.pid), str(free.pid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        wait_until(lambda: is_stopped(held) and is_stopped(free), LIMIT)
        holder.send_signal(signum)
    wait_until(lambda: not is_stopped(held), LIMIT)
    assert is_stopped(free), "it was said to be let go already"


def test_a_guard_that_was_killed_is_replaced(sleepers: list[subprocess.Popen[bytes]]) -> None:
    held, _ = sleepers
    guard = HoldGuard()
    guard.hold([held.pid])
    assert guard._shell is not None
    first = guard._shell
    first.kill()
    first.wait()
    guard.hold([held.pid])
    held.send_signal(signal.SIGSTOP)
    wait_until(lambda: is_stopped(held), LIMIT)
    guard.close()
    wait_until(lambda: not is_stopped(held), LIMIT)


def test_a_guard_that_held_nobody_needs_no_process() -> None:
    guard = HoldGuard()
    guard.close()
    assert guard._shell is None


@pytest.mark.skipif(not has_pidfds(), reason="only Linux has them")
def test_one_that_is_killed_is_reaped_and_replaced_where_it_is_needed(
    sleepers: list[subprocess.Popen[bytes]],
) -> None:
    async def until(count: int, *, but: int = 0) -> list[psutil.Process]:
        known = {process.pid for process in sleepers}
        async with asyncio.timeout(LIMIT):
            while True:
                children = [
                    child for child in psutil.Process().children() if child.pid not in known | {but}
                ]
                if len(children) == count:
                    return children
                await asyncio.sleep(0.01)

    async def main() -> None:
        exits = PidfdExitWatcher(asyncio.get_running_loop())
        guard = HoldGuard(exits)
        try:
            guard.hold([sleepers[0].pid])
            (shell,) = await until(1)
            shell.kill()
            (another,) = await until(1, but=shell.pid)
            assert not shell.is_running()
            guard.release([sleepers[0].pid])
            another.kill()
            await until(0)
        finally:
            guard.close()
            exits.close()

    asyncio.run(main())
