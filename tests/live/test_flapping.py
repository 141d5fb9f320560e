"""Flapping live: a program that crashes is told of, and stopped and given up where that is wanted.

No other watcher notices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.wire import Caller, Ear

Listen = Callable[..., Ear]

BESIDE = "[watcher:beside]\ncmd = sleep 1000\nnumprocesses = 2\n"
ASKED_FOR = "[plugin:flapping]\nuse = flapping\n"
LOOP = "[watcher:loop]\ncmd = false\nnumprocesses = 10\n"


def test_a_crashing_program_is_stopped_tried_again_and_given_up(
    start: Start, listen: Listen
) -> None:
    options = "flapping.retry_in = 0.5\nflapping.max_retry = 2\nautostart = no\n"
    daemon = start(BESIDE + LOOP + options)
    before = daemon.until_active("beside")
    ear = listen(daemon)
    daemon.ok("start", name="loop")
    told = ear.wait_for("flapping", "loop", count=3, stopped=True)
    assert [(one.body["round"], one.body["gave_up"]) for one in told] == [
        (1, False),
        (2, False),
        (2, True),
    ]
    assert told[0].body["attempts"] == 2
    assert told[0].body["watcher"] == "loop"
    until(lambda: daemon.status("loop")["status"] == "stopped")
    reason = daemon.status("loop")["reason"]
    assert reason.startswith("flapping: process ")
    assert reason.endswith("given up after 2 tries")
    assert reason in daemon.control("status", "--long", "loop").stdout
    ear.forget()
    assert daemon.control("start", "loop").returncode == 0
    (again, *_) = ear.wait_for("flapping", "loop", stopped=True)
    assert (again.body["round"], again.body["gave_up"]) == (1, False)
    daemon.ok("stop", name="loop", waiting=True)
    assert daemon.pids("beside") == before
    assert daemon.status("beside")["restarts"] == 0


def processor_time(daemon: Daemon) -> float:
    """Return the seconds of processor that the daemon has used, and all its dead children."""
    used = psutil.Process(daemon.main_pid).cpu_times()
    return used.user + used.system + used.children_user + used.children_system


def test_under_the_defaults_the_machine_has_rest(start: Start) -> None:
    daemon = start(BESIDE + LOOP)
    until(lambda: (daemon.status("loop")["retry_in"] or 0) > 3)
    status = daemon.status("loop")
    assert (status["status"], status["reason"]) == ("starting", "a process exited with 1")
    assert daemon.said("flapping: process 1 died 2 times in 1 s")
    assert daemon.said("plugin flapping: announce name=")
    spawned = daemon.text().count("running loop process")
    used = processor_time(daemon)
    with Caller(daemon.endpoint) as quiet:
        assert quiet.is_silent(3.0)
    assert daemon.text().count("running loop process") <= spawned + 10 < 120
    assert processor_time(daemon) - used < 0.3


def test_a_program_that_waits_for_its_database_comes_up_by_itself(
    start: Start, tmp_path: Path
) -> None:
    database = tmp_path / "database"
    daemon = start(
        BESIDE + f"[watcher:late]\ncmd = sh -c 'test -e {database} && exec sleep 1000; exit 1'\n"
        "retry_pause_max = 2\n"
    )
    until(lambda: daemon.status("late")["restarts"] >= 7)
    assert daemon.status("late")["reason"] == "a process exited with 1"
    database.touch()
    daemon.until_active("late", 1)


def test_a_program_that_exits_normally_is_started_for_ever(start: Start, listen: Listen) -> None:
    daemon = start(
        "[watcher:short]\ncmd = sleep 0.3\nautostart = no\nretry_pause_max = 0.2\n"
        "flapping.window = 5\nmax_retry = 2\n"
    )
    ear = listen(daemon)
    daemon.ok("start", name="short")
    ear.wait_for("reap", "short", count=8)
    assert ear.of("flapping") == []
    assert ear.of("stop", "short") == []
    daemon.ok("stop", name="short", waiting=True)


def test_one_bad_worker_does_not_stop_its_good_brothers(start: Start, listen: Listen) -> None:
    daemon = start(
        "[watcher:mixed]\ncmd = sh -c 'test $1 = 2 && exit 1; exec sleep 1000' x $WID\n"
        "numprocesses = 3\nautostart = no\nretry_pause_max = 0.3\n"
    )
    ear = listen(daemon)
    daemon.ok("start", name="mixed")
    ear.wait_for("reap", "mixed", count=8)
    (told,) = ear.of("flapping", "mixed")
    assert (told.body["process_id"], told.body["stopped"]) == (2, False)
    assert ear.of("stop", "mixed") == []
    assert {one.body["process_id"] for one in ear.of("reap", "mixed")} == {2}
    daemon.ok("stop", name="mixed", waiting=True)


@pytest.mark.slow
def test_from_the_first_crash_to_the_last_under_the_defaults(start: Start, listen: Listen) -> None:
    daemon = start(ASKED_FOR + BESIDE + LOOP + "autostart = no\n")
    before = daemon.until_active("beside")
    ear = listen(daemon)
    used, begun = processor_time(daemon), time.monotonic()
    daemon.ok("start", name="loop")
    told = ear.wait_for("flapping", "loop", count=6, limit=100, stopped=True)
    until(lambda: daemon.status("loop")["status"] == "stopped")
    share = (processor_time(daemon) - used) / (time.monotonic() - begun)
    spawned = len(ear.of("spawn", "loop"))
    print(f"{100 * share:.1f} % of a processor in all, {spawned} processes")
    assert share < 0.1
    assert spawned < 600
    assert [one.body["round"] for one in told] == [1, 2, 3, 4, 5, 5]
    assert [one.body["gave_up"] for one in told] == [False] * 5 + [True]
    rests = [later.body["time"] - one.body["time"] for one, later in pairwise(told)]
    assert all(7.0 <= rest < 20.0 for rest in rests), rests
    assert daemon.status("loop")["reason"].endswith("given up after 5 tries")
    assert daemon.pids("beside") == before
    assert ear.kinds("beside") == []


def _until_resting(daemon: Any) -> str:
    until(lambda: daemon.status("loop")["status"] == "stopped")
    reason: str = daemon.status("loop")["reason"]
    assert "flapping" in reason
    return reason


def test_an_operators_stop_is_not_undone(start: Start, listen: Listen) -> None:
    daemon = start(LOOP + "flapping.retry_in = 0.7\nautostart = no\n")
    ear = listen(daemon)
    daemon.ok("start", name="loop")
    ear.wait_for("flapping", "loop", stopped=True)
    _until_resting(daemon)
    daemon.ok("stop", name="loop", waiting=True)
    ear.forget()
    until(lambda: daemon.said("not tried again, somebody else has decided on it"))
    assert ear.kinds("loop") == []
    assert daemon.status("loop")["status"] == "stopped"
    assert daemon.status("loop")["reason"] is None


def test_deaths_that_somebody_asked_for_do_not_count(start: Start, listen: Listen) -> None:
    daemon = start(BESIDE)
    daemon.until_active("beside")
    ear = listen(daemon)
    for command in ("restart", "reload", "kill", "restart"):
        daemon.ok(command, name="beside", waiting=True)
    daemon.until_active("beside", 2)
    assert ear.of("flapping") == []


@pytest.mark.parametrize(
    "said",
    [
        "[plugin:flapping]\nuse = circus.plugins.flapping.Flapping\nactive = False\n",
        "[plugin:mine]\nuse = flapping\nactive = False\n",
        "flapping.active = False\n",
    ],
    ids=["off", "off under another name", "off for the watcher"],
)
def test_it_can_be_turned_off(start: Start, listen: Listen, said: str) -> None:
    daemon = start(f"[watcher:loop]\ncmd = false\nretry_pause_max = 0.2\nautostart = no\n{said}")
    ear = listen(daemon)
    daemon.ok("start", name="loop")
    ear.wait_for("reap", "loop", count=6)
    assert ear.of("flapping") == []
    daemon.ok("stop", name="loop", waiting=True)


@pytest.mark.parametrize("isolate", [False, True])
def test_it_is_configured_by_its_section(start: Start, listen: Listen, isolate: bool) -> None:
    daemon = start(
        "[plugin:flapping]\nuse = circus.plugins.flapping.Flapping\n"
        f"isolate = {isolate}\nattempts = 3\nwindow = 20\nmax_retry = 0\n"
        "[watcher:loop]\ncmd = false\nautostart = no\n"
    )
    if isolate:
        daemon.until_active("plugin:flapping")
        until(lambda: daemon.said("[INFO] Starting\n"))
    ear = listen(daemon)
    daemon.ok("start", name="loop")
    (told, *_) = ear.wait_for("flapping", "loop")
    assert (told.body["attempts"], told.body["gave_up"]) == (3, True)
    until(lambda: daemon.status("loop")["status"] == "stopped")
    assert len(ear.of("reap", "loop", reason="exited")) >= 3
