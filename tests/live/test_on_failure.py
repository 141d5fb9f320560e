"""A watcher whose processes fail for good can be the end of the daemon, which then says so."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.conftest import Start
from tests.live.daemon import LIMIT, Daemon, until
from tests.live.wire import Ear

Listen = Callable[..., Ear]
BESIDE = "[watcher:beside]\ncmd = sleep 1000\n"
LATER = "[watcher:w]\nautostart = no\non_failure = exit\nretry_pause = 0.01\n"


def ends_with_one(daemon: Daemon, reason: str) -> None:
    """Wait for the end of a daemon, and look whether it tells why."""
    daemon.exit_code = 1
    assert daemon.process.wait(LIMIT) == 1
    assert daemon.said(f"watcher w has failed: {reason}")
    assert daemon.said("Everything is stopped")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("cmd = false", "a process exited with 1 (5 times in a row)"),
        ("cmd = sh -c 'kill -9 $$'\nmax_retry = 2", "was ended by SIGKILL (2 times in a row)"),
        (
            "cmd = /nowhere/x\nmax_retry = 1",
            "there is no such program (1 tries)",
        ),
        ("cmd = sh -c 'exit 3'\nrespawn = no", "a process exited with 3, and respawn is off"),
    ],
)
def test_the_daemon_ends_with_an_error(start: Start, options: str, reason: str) -> None:
    daemon = start(f"{LATER}{options}\n{BESIDE}")
    daemon.until_active("beside", 1)
    daemon.ok("start", name="w")
    daemon.exit_code = 1
    assert daemon.process.wait(LIMIT) == 1
    text = daemon.text()
    assert "watcher w has failed: " in text
    assert reason in text


def test_it_ends_once_no_process_is_left(start: Start, tmp_path: Path) -> None:
    mark = tmp_path / "broken"
    program = f"sh -c 'test -e {mark} && exit 1; exec sleep 1000'"
    daemon = start(f"{LATER}cmd = {program}\nnumprocesses = 2\n{BESIDE}")
    daemon.ok("start", name="w", waiting=True)
    first, second = daemon.until_active("w", 2)
    mark.touch()
    os.kill(second, signal.SIGKILL)
    until(lambda: (daemon.status("w")["retry_in"] or 0) > 0.1)
    assert (daemon.status("w")["status"], daemon.pids("w")) == ("active", [first])
    os.kill(first, signal.SIGKILL)
    ends_with_one(daemon, "a process exited with 1")


def test_it_ends_after_the_last_round_of_flapping(start: Start, listen: Listen) -> None:
    daemon = start(
        f"{LATER}cmd = false\nmax_retry = 1000\nflapping.window = 9\n"
        f"flapping.retry_in = 0.2\nflapping.max_retry = 1\n{BESIDE}"
    )
    ear = listen(daemon)
    daemon.ok("start", name="w")
    assert ear.wait_for("flapping", "w")[0].body["gave_up"] is False
    ends_with_one(daemon, "")


def test_an_operator_who_stops_it_ends_nothing(start: Start) -> None:
    daemon = start(f"{LATER}cmd = sleep 1000\n{BESIDE}")
    daemon.ok("start", name="w", waiting=True)
    daemon.ok("stop", name="w", waiting=True)
    daemon.ok("rm", name="w", waiting=True)
    assert daemon.status("beside")["running"] == 1


def test_a_normal_exit_is_no_failure(start: Start, listen: Listen) -> None:
    daemon = start(f"{LATER}cmd = true\nmax_retry = 1\nretry_pause_max = 0.01\n")
    ear = listen(daemon)
    daemon.ok("start", name="w")
    ear.wait_for("reap", "w", count=12)
    assert daemon.status("w")["status"] != "stopped"


def test_one_that_is_only_given_up_leaves_the_others(start: Start) -> None:
    daemon = start(f"[watcher:w]\ncmd = false\non_failure = stop\nretry_pause = 0\n{BESIDE}")
    until(lambda: daemon.status("w")["status"] == "stopped")
    assert daemon.status("beside")["running"] == 1
    daemon.ok("set", name="w", options={"cmd": "sleep 1000"})
    daemon.ok("start", name="w", waiting=True)
    assert daemon.status("w")["reason"] is None
