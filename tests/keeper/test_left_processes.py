"""circusd is killed with all of its processes going on: what the next start does with them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.keeper import all_killed
from tests.keeper.kept import Kept
from tests.live.daemon import Daemon, free_port, is_alive, until

pytestmark = pytest.mark.live

_TREES = """
[socket:web]
host = 127.0.0.1
port = {port}
[watcher:trees]
cmd = sh -c "setsid sh -c 'sleep 1001 & exec sleep 1002' & exec sleep 1003"
numprocesses = 3
use_sockets = yes
ready = spawned
settle = 0
[watcher:stubborn]
cmd = {python} -S {folder}/deaf.py
stop_signal = INT
graceful_timeout = 0.3
ready = spawned
settle = 0
"""
_SERVES = "Arbiter now waiting for commands"
_DEAF = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: open(f"{sys.path[0]}/asked", "w").close())
print("deaf", flush=True)
while True:
    time.sleep(1000)
"""


@pytest.fixture(params=[Daemon, Kept])
def daemon(request: Any) -> Iterator[Daemon]:
    daemon: Daemon = request.param("")
    (daemon.folder / "deaf.py").write_text(_DEAF)
    daemon.write(body(daemon))
    try:
        yield daemon
    finally:
        daemon.clean_up()
        shutil.rmtree(daemon.folder, ignore_errors=True)


def body(daemon: Daemon) -> str:
    return _TREES.format(port=free_port(), python=sys.executable, folder=daemon.folder)


def start(daemon: Daemon) -> set[int]:
    """Start it, and return the pids of its processes with all that descends from them."""
    begin(daemon)
    daemon.until_active("trees", 3)
    daemon.until_active("stubborn", 1)
    until(lambda: len(family(daemon)) == 10)
    until(lambda: daemon.said("deaf"))
    return family(daemon)


def begin(daemon: Daemon) -> None:
    """Start it, and wait until it serves, also where one has served before it."""
    count = daemon.text().count(_SERVES) if daemon.log.exists() else 0
    process = daemon.launch()
    until(lambda: daemon.text().count(_SERVES) > count or process.poll() is not None, 60)
    assert process.poll() is None, daemon.text()


def family(daemon: Daemon) -> set[int]:
    return {pid for pid, line in daemon.alive().items() if "circusd" not in line}


def kill(daemon: Daemon) -> None:
    """Kill the daemon, and its brain at the same time if it has one."""
    pids = [daemon.process.pid]
    if isinstance(daemon, Kept):
        pids.append(daemon.brain())
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for pid in pids:
            os.kill(pid, signum)
    daemon.process.wait()
    until(lambda: not any(map(is_alive, pids)))
    # What it would send by the old connection may be lost.
    daemon.caller.close()
    daemon._caller = None


def set_option(daemon: Daemon, line: str) -> None:
    daemon.circus += f"\n{line}"
    daemon.write(body(daemon))


def test_the_next_start_stops_them_first_whole_trees(daemon: Daemon) -> None:
    port = int(re.findall(r"port = (\d+)", daemon.file.read_text())[0])
    before = start(daemon)
    kill(daemon)
    assert before == family(daemon)
    after = start(daemon)
    assert not before & after
    assert not any(map(is_alive, before))
    assert daemon.said("stopping 10 processes that a daemon left behind when it was killed")
    assert daemon.ok("listsockets")["sockets"][0]["port"] == port
    # It got its own stop signal, and no longer than its own grace.
    assert (daemon.folder / "asked").exists()
    assert daemon.stop() == 0
    assert not daemon.alive()


def test_they_are_ignored_if_that_is_said(daemon: Daemon) -> None:
    set_option(daemon, "on_daemon_death = ignore")
    before = start(daemon)
    kill(daemon)
    set_option(daemon, "")
    begin(daemon)
    daemon.until_active("trees", 3)
    try:
        assert all(map(is_alive, before))
    finally:
        for pid in before:
            os.kill(pid, signal.SIGKILL)


def test_one_that_was_left_running_on_purpose_goes_on(daemon: Daemon) -> None:
    start(daemon)
    (pid,) = daemon.pids("stubborn")
    daemon.ok("rm", name="stubborn", nostop=True, waiting=True)
    kill(daemon)
    daemon.write(body(daemon).partition("[watcher:s")[0])
    begin(daemon)
    assert is_alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_second_start_while_the_first_lives_stops_nobody(daemon: Daemon) -> None:
    before = start(daemon)
    first = daemon.process
    second = daemon.launch()
    assert second.wait(60) == 1
    daemon._process = first
    assert family(daemon) == before


def test_an_end_in_order_leaves_no_state_file(daemon: Daemon, tmp_path: Path) -> None:
    daemon.flags = ["--pidfile", str(tmp_path / "pid")]
    start(daemon)
    state = tmp_path / "pid.state"
    assert state.stat().st_mode & 0o777 == 0o600
    words = [line.split() for line in state.read_text().splitlines()]
    roots = {int(line[1]): line[4:] for line in words if line[0] == "+"}
    assert {tuple(title) for title in roots.values()} - {("0",)} == {
        *((str(wid), "trees") for wid in (1, 2, 3)),
        ("1", "stubborn"),
    }
    assert daemon.stop() == 0
    assert not state.exists()


@pytest.mark.parametrize("daemon", [Daemon], indirect=True)
def test_a_stranger_with_the_same_number_is_left_alone(daemon: Daemon, tmp_path: Path) -> None:
    daemon.flags = ["--pidfile", str(tmp_path / "pid")]
    stranger = psutil.Popen(["sleep", "1000"], start_new_session=True)
    try:
        start(daemon)
        kill(daemon)
        state = tmp_path / "pid.state"
        with state.open("a") as file:
            # The same number, another start; then a line that is torn, and one that is nothing.
            file.write(f"+ {stranger.pid} 1.0 0 1 trees\n+ nonsense\n\n\0\n+ 1 2")
        start(daemon)
        assert stranger.is_running()
        assert daemon.stop() == 0
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("daemon", [Daemon], indirect=True)
def test_a_state_file_that_others_may_write_counts_for_nothing(
    daemon: Daemon, tmp_path: Path
) -> None:
    daemon.flags = ["--pidfile", str(tmp_path / "pid")]
    before = start(daemon)
    kill(daemon)
    (tmp_path / "pid.state").chmod(0o666)
    set_option(daemon, "")
    begin(daemon)
    assert all(map(is_alive, before))
    assert daemon.said("is not a plain file that only we may write")
    for pid in before:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kind", [Daemon, Kept])
def test_again_and_again_nothing_is_doubled(kind: type[Daemon]) -> None:
    assert all_killed.run(2, kind) == []
