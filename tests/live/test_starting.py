"""How watchers come up, and what becomes of processes that do not stay."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.live.daemon import Daemon, until
from tests.live.wire import Ear

SLEEP = "cmd = sleep 1000\n"
BESIDE = f"[watcher:beside]\n{SLEEP}"

Start = Callable[..., Daemon]
Listen = Callable[..., Ear]


def test_warmup_delay_passes_between_two_spawns(start: Start, listen: Listen) -> None:
    daemon = start(f"[watcher:slow]\n{SLEEP}numprocesses = 5\nwarmup_delay = 0.5\nautostart = no")
    ear = listen(daemon)
    daemon.ok("start", name="slow")
    assert daemon.status("slow")["status"] == "starting"
    ear.wait_for("start", "slow")
    times = [one.body["time"] for one in ear.of("spawn", "slow")]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(gaps) == 4
    # Told a moment late, one seems nearer to the next, which is on time.
    assert min(gaps) > 0.1
    assert sum(gaps) > 1.5
    assert ear.kinds("slow") == ["spawn"] * 5 + ["start"]


def test_the_daemons_warmup_delay_passes_between_two_watchers(start: Start) -> None:
    names = ["a", "b", "c"]
    body = "".join(f"[watcher:{name}]\n{SLEEP}" for name in names)
    daemon = start(body, circus="warmup_delay = 2")
    assert daemon.status("c")["status"] == "stopped"
    for name in names:
        daemon.until_active(name)


def test_a_crash_loop_waits_longer_and_longer_and_hurts_nobody(
    start: Start, listen: Listen
) -> None:
    daemon = start(f"{BESIDE}[watcher:loop]\ncmd = false\nautostart = no\nflapping.active = no\n")
    ear = listen(daemon)
    daemon.ok("start", name="loop")
    ear.wait_for("spawn", "loop", count=5)
    said: dict[str, Any] = {}

    def waits() -> bool:
        said.update(daemon.status("loop"))
        return said["retry_in"] is not None

    until(waits)
    assert (said["status"], said["last_exit"]) == ("starting", 1)
    assert said["restarts"] >= 4
    assert said["reason"] == "a process exited with 1"
    spawns = [one.body["time"] for one in ear.of("spawn", "loop")]
    reaps = [one.body["time"] for one in ear.of("reap", "loop", exit_code=1)]
    pauses = [spawn - reap for spawn, reap in zip(spawns[1:], reaps, strict=False)]
    print(f"pauses: {', '.join(f'{pause:.3f}' for pause in pauses)} s")
    assert pauses[0] < pauses[3]
    for pause, least in zip(pauses[1:], (0.1, 0.2, 0.4), strict=False):
        assert pause > 0.95 * least
    assert daemon.status("beside")["restarts"] == 0
    assert daemon.control("status", "--long", "loop").stdout.startswith("loop: starting 0/1")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("/nowhere/at/all", "can not start '/nowhere/at/all': there is no such program"),
        ("/etc/passwd", "'/etc/passwd'"),
        ("sleep 1000\nworking_dir = /nowhere", "'/nowhere'"),
        ("sleep 1000\nuid = 4294967294", "user 4294967294 has no account"),
    ],
    ids=["missing", "no program", "no folder", "strange user"],
)
def test_what_can_not_start_stops_alone_and_says_why(
    start: Start, listen: Listen, command: str, reason: str
) -> None:
    text = f"[watcher:bad]\ncmd = {command}\nmax_retry = 3\nautostart = no\npriority = 9\n"
    daemon = start(f"{text}{BESIDE}")
    ear = listen(daemon)
    errno, why = daemon.refused("start", name="bad", waiting=True)
    assert (errno, why) == (5, daemon.status("bad")["reason"])
    assert reason in why
    assert why.endswith("(3 tries)")
    assert daemon.status("bad")["status"] == "stopped"
    assert ear.wait_for("stop", "bad")[0].body["reason"] == why
    failed = ear.of("spawn_failed", "bad")
    assert len(failed) == 3
    assert failed[-1].body["retry_in"] is None
    assert daemon.status("beside")["running"] == 1
    assert daemon.said(f"bad stopped: {why}")


def test_one_that_can_not_start_for_a_while_costs_the_others_nothing(
    start: Start, listen: Listen, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    daemon = start(f"[watcher:w]\ncmd = {program}\nnumprocesses = 3\nretry_pause_max = 1\n")
    before = daemon.until_active("w", 3)
    until(lambda: list(daemon.alive().values()).count("sleep 1000") == 3)
    ear = listen(daemon)
    program.chmod(0o644)
    os.kill(before[0], signal.SIGKILL)
    ear.wait_for("spawn_failed", "w", count=7)
    status = daemon.status("w")
    assert (status["status"], status["running"], status["wanted"]) == ("active", 2, 3)
    assert "not executable" in status["reason"]
    program.chmod(0o755)
    after = daemon.until_active("w", 3)
    assert set(before[1:]) < set(after)
    assert ear.of("stop", "w") == []


def test_under_a_limit_of_processes_those_that_run_stay(start: Start, listen: Listen) -> None:
    daemon = start(f"[watcher:w]\n{SLEEP}numprocesses = 3\nmax_retry = 1\n")
    before = daemon.until_active("w", 3)
    ear = listen(daemon)
    soft, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    opened = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (opened + 4, hard))
    daemon.ok("incr", name="w", nb=20)
    ear.wait_for("spawn_failed", "w", count=3)
    assert set(before) <= set(daemon.pids("w"))
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert set(before) < set(daemon.until_active("w", 23))
    assert ear.of("stop", "w") == []


def test_a_crash_loop_slower_than_a_second_waits_and_says_why(start: Start) -> None:
    daemon = start("[watcher:loop]\ncmd = sh -c 'sleep 1.2; exit 4'\nretry_pause = 1\n")
    until(lambda: (daemon.status("loop")["retry_in"] or 0) > 1)
    status = daemon.status("loop")
    assert (status["status"], status["reason"]) == ("starting", "a process exited with 4")


def test_a_missing_program_delays_nobody_at_the_start(start: Start) -> None:
    bad = "[watcher:bad]\ncmd = /nowhere/x\nmax_retry = -1\npriority = 9\n"
    daemon = start(f"{bad}{BESIDE}priority = 1\n")
    daemon.until_active("beside")
    said = daemon.status("bad")
    assert (said["status"], said["running"]) == ("starting", 0)
    assert "no such program" in said["reason"]
    daemon.ok("set", name="bad", options={"cmd": "sleep 1000"}, waiting=True)
    daemon.until_active("bad")


def test_without_respawn_a_process_runs_once(start: Start, listen: Listen) -> None:
    once = "cmd = sh -c 'exit 3'\nnumprocesses = 2\nrespawn = False\nautostart = False\n"
    daemon = start(f"[watcher:once]\n{once}")
    ear = listen(daemon)
    for turn in (1, 2):
        assert daemon.refused("start", name="once", waiting=True)[1] == "a process exited with 3"
        ear.wait_for("stop", "once", count=turn)
        assert len(ear.of("spawn", "once")) == 2 * turn
        assert len(ear.of("reap", "once", exit_code=3, reason="exited")) == 2 * turn
        assert daemon.status("once")["reason"] == "all processes have ended, respawn is off"


def test_a_singleton_stays_alone(start: Start, listen: Listen) -> None:
    daemon = start(f"[watcher:one]\n{SLEEP}singleton = True\n")
    first = daemon.until_active("one")
    ear = listen(daemon)
    assert daemon.ok("incr", name="one", nb=3, waiting=True)["numprocesses"] == 1
    assert daemon.refused("set", name="one", numprocesses=2)[0] == 3
    daemon.ok("reload", name="one", waiting=True)
    assert ear.kinds("one") == ["kill", "reap", "spawn", "reload"]
    assert len(daemon.pids("one")) == 1
    assert daemon.pids("one") != first


def test_priorities_order_the_start_and_in_reverse_the_stop(start: Start, listen: Listen) -> None:
    order = ["first", "second", "alike a", "alike b", "last"]
    body = "".join(
        f"[watcher:{name}]\n{SLEEP}numprocesses = 2\npriority = {priority}\nautostart = {auto}\n"
        for name, priority, auto in [
            ("last", -1, True),
            ("alike b", 0, True),
            ("first", 20, True),
            ("never", 50, False),
            ("alike a", 0, True),
            ("second", 3, True),
        ]
    )
    daemon = start(body)
    daemon.until_active("last")
    ear = listen(daemon)
    topics = [name.replace(" ", "_") for name in order]

    def told(kind: str) -> list[str]:
        return list(dict.fromkeys(one.watcher for one in ear.of(kind)))

    daemon.ok("stop", waiting=True)
    assert told("kill") == topics[::-1]
    daemon.ok("start", waiting=True)
    spawns = [one.watcher for one in ear.of("spawn")]
    assert [spawns.index(topic) for topic in topics] == sorted(
        spawns.index(topic) for topic in topics
    )
    # Watchers of one priority start side by side, those of another one after them.
    assert spawns[:4] == ["first", "first", "second", "second"]
    assert sorted(spawns[4:8]) == ["alike_a"] * 2 + ["alike_b"] * 2
    assert spawns[8:] == ["last"] * 2
    assert daemon.status("never")["status"] == "stopped"
    running = [line for line in daemon.text().splitlines() if "] running " in line]
    at_start = [line.partition("] running ")[2].partition(" process ")[0] for line in running]
    assert list(dict.fromkeys(at_start)) == order


def test_wid_and_environment_reach_the_process(start: Start, tmp_path: Path) -> None:
    script = "cmd = sh -c 'echo $1 $2 $COLOUR > OUT/$1; exec sleep 1000' x $WID $(circus.wid)\n"
    text = f"[watcher:w]\n{script}numprocesses = 3\nenv = COLOUR=green\n"
    daemon = start(text.replace("OUT", str(tmp_path)))
    daemon.until_active("w")
    until(lambda: all((tmp_path / f"{wid}").exists() for wid in (1, 2, 3)))
    for wid in (1, 2, 3):
        until(lambda wid=wid: (tmp_path / f"{wid}").read_text() == f"{wid} {wid} green\n")  # type: ignore[misc]
