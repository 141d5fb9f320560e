"""What real processes do beyond the contract."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
from typing import Any

import pytest

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.system.processes.descriptors import open_descriptors
from cvec_circus_core.system.processes.exit_watch import ThreadExitWatcher
from cvec_circus_core.system.processes.local_owner import choose_processes, pidfd_processes
from cvec_circus_core.system.processes.lost_exits import exit_of_stranger
from cvec_circus_core.system.processes.process_table import read_row
from cvec_circus_core.system.protocols import Scope, SignalResult
from tests.spawned import signalled, spawned

pytestmark = pytest.mark.live


def is_gone(pid: int) -> bool:
    row = read_row(pid)
    return row is None or row.is_dead


def test_an_error_of_a_listener_is_logged_and_hurts_nobody_else(
    yard: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(pid: int, ended: Exit) -> None:
        raise ValueError("broken listener")

    pid = spawned(yard.processes, LaunchPlan(argv=("/bin/true",), env={}), fail)
    yard.spawn("exit 3")
    with caplog.at_level(logging.ERROR):
        yard.until(lambda: not yard.processes.alive())
    assert [ended.code for _, ended in yard.told] == [3]
    assert f"process {pid}" in caplog.text


def test_a_status_that_somebody_else_took_is_the_kernels_to_tell(
    yard: Any, request: pytest.FixtureRequest
) -> None:
    pid = yard.spawn("exit 3")
    os.waitpid(pid, 0)
    yard.until(lambda: bool(yard.told))
    is_known = request.node.callspec.id == "pidfd" and kernel_remembers_ends()
    assert yard.told == [(pid, Exit(3 if is_known else None))]


def kernel_remembers_ends() -> bool:
    """Tell whether a pidfd tells how a process has ended that was collected (Linux 6.15)."""
    child = subprocess.Popen(["/bin/sh", "-c", "exit 4"])
    pidfd = os.pidfd_open(child.pid)
    child.wait()
    status = exit_of_stranger(child.pid, pidfd)
    os.close(pidfd)
    return status == 4


def test_the_statuses_of_other_children_are_left_alone(yard: Any) -> None:
    foreign = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
    yard.spawn("exit 3")
    yard.until(lambda: bool(yard.told))
    assert foreign.wait(10) == 7


def test_a_signal_that_does_not_exist_is_said(yard: Any) -> None:
    yard.spawn("exec sleep 60")
    (pid,) = yard.processes.alive()
    assert signalled(yard.processes, pid, 999) == SignalResult(False, "there is no signal 999")
    yard.processes.signal(pid, signal.SIGKILL)
    yard.until(lambda: bool(yard.told))


def test_many_can_die_one_after_another_without_a_descriptor_lost(yard: Any) -> None:
    before = open_descriptors()
    for _ in range(50):
        yard.spawn("exit 0")
    yard.until(lambda: len(yard.told) == 50)
    assert set(open_descriptors()) <= set(before)


def test_closing_leaves_running_processes_alone(loop: asyncio.AbstractEventLoop) -> None:
    before = open_descriptors()
    made = pidfd_processes(loop)
    plan = LaunchPlan(argv=("sleep", "60"), env={"PATH": os.environ["PATH"]})
    pid = spawned(made, plan, lambda pid, ended: None)
    made.close()
    # The loop opens its own descriptors, and keeps them until it is closed.
    assert len(open_descriptors()) <= len(before)
    os.kill(pid, signal.SIGKILL)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL


def test_a_kernel_without_pidfds_gets_threads(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    made = choose_processes(loop)
    assert isinstance(made._exits, ThreadExitWatcher)
    told: list[Exit] = []
    spawned(made, LaunchPlan(argv=("/bin/true",), env={}), lambda pid, ended: told.append(ended))
    loop.call_later(5, loop.stop)
    while not told:
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
    assert told == [Exit(0)]
    made.close()


def test_children_alone_are_signalled(yard: Any, tmp_path: Any, pid_in: Any) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait; exit 4"
    pid = yard.spawn(script)
    yard.until(lambda: pid_in("child"))
    assert signalled(yard.processes, pid, signal.SIGTERM, Scope.CHILDREN) == SignalResult(True)
    yard.until(lambda: bool(yard.told))
    assert yard.told == [(pid, Exit(4))]


def test_one_child_alone_is_signalled(yard: Any, tmp_path: Any, pid_in: Any) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/one; sleep 60 & echo $! > {tmp_path}/two; wait"
    pid = yard.spawn(script)
    yard.until(lambda: pid_in("two"))
    results: list[SignalResult] = []
    yard.processes.signal_child(pid, pid_in("one"), signal.SIGTERM, results.append)
    assert results == [SignalResult(True)]
    yard.until(lambda: is_gone(pid_in("one")))
    assert not is_gone(pid_in("two"))
    yard.processes.signal(pid, signal.SIGKILL, Scope.TREE)
    yard.until(lambda: bool(yard.told))
