"""A daemon that was killed comes back with what it had: processes, wishes, sockets, output."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.keeper.kept import Kept
from tests.live.daemon import is_alive, until

pytestmark = pytest.mark.live

SLEEPERS = """
[watcher:sleepers]
cmd = sleep 1000
numprocesses = 3
ready = spawned
[watcher:other]
cmd = sleep 1000
ready = spawned
"""


@pytest.fixture
def started() -> Iterator[Any]:
    daemons: list[Kept] = []

    def start(body: str, **options: Any) -> Kept:
        daemon = Kept(body, **options)
        daemons.append(daemon)
        daemon.start()
        return daemon

    yield start
    try:
        for daemon in daemons:
            daemon.account()
    finally:
        for daemon in daemons:
            daemon.clean_up()


def test_the_same_processes_go_on(started: Any) -> None:
    daemon = started(SLEEPERS)
    pids = daemon.until_active("sleepers", 3)
    daemon.kill_brain()
    assert daemon.pids("sleepers") == pids
    assert daemon.status("sleepers")["status"] == "active"
    assert all(map(is_alive, pids))


def test_what_was_wanted_at_run_time_is_wanted_still(started: Any) -> None:
    daemon = started(SLEEPERS)
    daemon.until_active("sleepers", 3)
    daemon.ok("incr", name="sleepers", waiting=True)
    daemon.ok("set", name="sleepers", options={"graceful_timeout": 7.5}, waiting=True)
    daemon.ok("stop", name="other", waiting=True)
    daemon.ok("add", name="new", cmd="sleep 1000", options={"ready": "spawned"})
    daemon.ok("start", name="new", waiting=True)
    pids = daemon.pids("sleepers"), daemon.pids("new")
    assert len(pids[0]) == 4
    daemon.kill_brain()
    assert (daemon.pids("sleepers"), daemon.pids("new")) == pids
    assert daemon.ok("numprocesses", name="sleepers")["numprocesses"] == 4
    assert daemon.ok("get", name="sleepers", keys=["graceful_timeout"])["options"] == {
        "graceful_timeout": 7.5
    }
    assert daemon.status("other")["status"] == "stopped"
    daemon.ok("rm", name="new", waiting=True)
    daemon.kill_brain()
    assert daemon.ok("list")["watchers"] == ["other", "sleepers"]


def test_a_start_that_was_under_way_starts_nobody_who_was_stopped_meanwhile(started: Any) -> None:
    daemon = started(
        f"{SLEEPERS}[watcher:slow]\ncmd = sleep 1000\nready = alive:2000\nready_timeout = 3000\n"
    )
    daemon.until_active("sleepers", 3)
    daemon.ok("stop", name="sleepers", waiting=True)
    for _ in range(2):
        daemon.kill_brain()
        until(lambda: daemon.status("slow")["running"] == 1)
        assert daemon.status("sleepers")["status"] == "stopped"
    assert daemon.said("start was under way when the daemon died: it is gone on with")


def test_a_death_that_nobody_saw_is_told_once_and_answered(started: Any) -> None:
    daemon = started(SLEEPERS)
    first, *others = daemon.until_active("sleepers", 3)
    os.kill(daemon.brain(), signal.SIGSTOP)
    os.kill(first, signal.SIGKILL)
    until(lambda: not is_alive(first))
    daemon.kill_brain()
    until(lambda: daemon.status("sleepers")["running"] == 3)
    pids = daemon.pids("sleepers")
    assert set(others) < set(pids)
    assert first not in pids
    assert daemon.status("sleepers")["restarts"] == 1


def test_a_managed_socket_stays_open(started: Any) -> None:
    daemon = started(
        "[socket:web]\nport = 0\n[watcher:web]\ncmd = python3 -m http.server 0\nuse_sockets = yes\n"
        "ready = spawned\n"
    )
    port = daemon.ok("listsockets")["sockets"][0]["port"]
    daemon.kill_brain()
    assert daemon.ok("listsockets")["sockets"][0]["port"] == port
    socket.create_connection(("127.0.0.1", port), 5).close()


def test_output_goes_on_into_the_same_file(started: Any, tmp_path: Path) -> None:
    file = tmp_path / "lines"
    daemon = started(
        "[watcher:talker]\ncmd = sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done'\n"
        f"ready = spawned\nstdout_stream.class = FileStream\nstdout_stream.filename = {file}\n"
    )
    daemon.until_active("talker")
    for _ in range(3):
        size = file.stat().st_size
        until(lambda size=size: file.stat().st_size > size)  # type: ignore[misc]
        daemon.kill_brain()
    size = file.stat().st_size
    until(lambda: file.stat().st_size > size)
    numbers = [int(line) for line in file.read_text().splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))


FAILING = """
[watcher:failing]
cmd = sh -c 'until rm {folder}/die 2>/dev/null; do sleep 0.05; done; exit 1'
ready = spawned
stable_after = 3000
retry_pause = 3000
retry_pause_max = 3000
"""


def _die(daemon: Kept, folder: Path, ends: int) -> None:
    (folder / "die").touch()
    until(lambda: daemon.text().count("ended by itself") == ends)


def test_deaths_in_a_row_and_the_pause_after_them_are_remembered(
    started: Any, tmp_path: Path
) -> None:
    daemon = started(FAILING.format(folder=tmp_path))
    _die(daemon, tmp_path, 1)
    until(lambda: daemon.text().count("running failing process") == 2)
    daemon.kill_brain()
    # The second death in a row is one that is waited after, and so long.
    _die(daemon, tmp_path, 2)
    daemon.kill_brain()
    daemon.kill_brain()
    assert daemon.status("failing")["running"] == 0
    assert daemon.text().count("running failing process") == 2


@pytest.mark.parametrize("signum", [signal.SIGSTOP, signal.SIGSEGV])
def test_a_brain_that_hangs_or_breaks_is_replaced(started: Any, signum: int) -> None:
    daemon = started(SLEEPERS, circus="keeper_patience = 2")
    pids = daemon.until_active("sleepers", 3)
    brain = daemon.brain()
    os.kill(brain, signum)
    until(lambda: daemon.text().count("now waiting for commands") == 2)
    until(lambda: not is_alive(brain))
    assert daemon.pids("sleepers") == pids
    assert daemon.said("did not answer for 2 s and was killed") is (signum == signal.SIGSTOP)


def test_one_that_dies_again_and_again_is_waited_for_longer_and_longer(started: Any) -> None:
    daemon = started(SLEEPERS)
    pids = daemon.until_active("sleepers", 3)
    for _ in range(5):
        daemon.kill_brain(signal.SIGSEGV)
    assert daemon.said("the brain has died 5 times in a row")
    assert daemon.pids("sleepers") == pids


def test_a_stop_signal_for_the_keeper_ends_everything(started: Any) -> None:
    daemon = started(SLEEPERS)
    pids = daemon.until_active("sleepers", 3)
    assert daemon.stop(signal.SIGTERM) == 0
    assert not any(map(is_alive, pids))


def test_a_stop_signal_while_no_brain_is_there_is_not_lost(started: Any) -> None:
    daemon = started(SLEEPERS)
    daemon.until_active("sleepers", 3)
    os.kill(daemon.brain(), signal.SIGKILL)
    assert daemon.stop(signal.SIGTERM) == 0


def test_plugins_of_the_dead_daemon_end_with_it(started: Any) -> None:
    daemon = started(f"{SLEEPERS}[plugin:watchdog]\nuse = watchdog\nisolate = yes\n")
    (before,) = daemon.until_active("plugin:watchdog")
    daemon.kill_brain()
    until(lambda: not is_alive(before))
    until(lambda: daemon.pids("plugin:watchdog") != [before])
    assert daemon.until_active("plugin:watchdog", 1)
