"""The same life where the kernel has no pidfds: ends are heard by threads."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import ROOT, Daemon, until
from tests.live.wire import Ear

BY_THREADS = (sys.executable, str(ROOT / "tests" / "live" / "by_threads.py"))
WATCHERS = """
[watcher:crowd]
cmd = sleep 1000
numprocesses = 50

[watcher:stubborn]
cmd = sh -c 'trap "" TERM; while :; do sleep 0.1; done'
graceful_timeout = 0.3

[watcher:loop]
cmd = false

[watcher:missing]
cmd = /nowhere/x
max_retry = 2
"""


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    made = start(WATCHERS, program=BY_THREADS, environment={"PYTHONPATH": str(ROOT)})
    made.until_active("crowd", 50)
    return made


def test_it_is_threads_that_wait(daemon: Daemon) -> None:
    fds = Path(f"/proc/{daemon.main_pid}/fd")
    assert not any("pidfd" in os.readlink(fd) for fd in fds.iterdir() if fd.is_symlink())
    assert psutil.Process(daemon.main_pid).num_threads() > 50
    assert threading.active_count() < 50


def test_the_killed_are_replaced_and_all_is_told(
    daemon: Daemon, listen: Callable[..., Ear]
) -> None:
    ear = listen(daemon, "watcher.crowd.")
    before = daemon.pids("crowd")
    begun = time.monotonic()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    ear.wait_for("spawn", count=50)
    print(f"fifty replaced in {(time.monotonic() - begun) * 1000:.0f} ms")
    assert {one.pid for one in ear.wait_for("reap", count=50, exit_code=-9)} == set(before)
    until(lambda: len(daemon.pids("crowd")) == 50)
    assert not daemon.zombies()


def test_stop_restart_and_giving_up_work(daemon: Daemon) -> None:
    assert len(daemon.ok("restart", name="crowd", waiting=True)["info"]["started"]) == 50
    daemon.ok("stop", name="stubborn", waiting=True)
    assert daemon.status("stubborn")["last_exit"] == -9
    until(lambda: daemon.status("missing")["status"] == "stopped")
    until(lambda: daemon.status("loop")["restarts"] > 2)
    assert daemon.ok("decr", name="crowd", nb=49, waiting=True)["numprocesses"] == 1
    until(lambda: psutil.Process(daemon.main_pid).num_threads() < 20)
