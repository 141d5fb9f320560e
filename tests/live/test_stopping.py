"""How processes are asked to go, made to go, and who else goes with them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.daemon import Daemon, is_alive, until
from tests.live.wire import Ear

STUBBORN = """\
cmd = sh -c 'trap "" TERM; echo > DIR/$1; while :; do sleep 0.1; done' x $WID
graceful_timeout = 0.5
"""

Start = Callable[..., Daemon]
Listen = Callable[..., Ear]


def test_who_ignores_the_stop_signal_is_killed_after_its_grace(
    start: Start, listen: Listen, tmp_path: Path
) -> None:
    text = STUBBORN.replace("DIR", str(tmp_path))
    daemon = start(f"[watcher:w]\n{text}numprocesses = 2\n[watcher:other]\ncmd = sleep 1000\n")
    until(lambda: {one.name for one in tmp_path.iterdir()} == {"1", "2"})
    ear = listen(daemon)
    daemon.ok("stop", name="w")
    assert daemon.status("w")["status"] == "stopping"
    daemon.ok("restart", name="other", waiting=True)  # nobody waits for the stubborn
    ear.wait_for("stop", "w")
    assert ear.kinds("w") == ["kill", "kill", "kill", "kill", "reap", "reap", "stop"]
    asked, killed = ear.of("kill", "w", signum=15), ear.of("kill", "w", signum=9)
    assert [one.pid for one in asked] == [one.pid for one in killed]
    graces = [
        nine.body["time"] - term.body["time"] for term, nine in zip(asked, killed, strict=True)
    ]
    print(f"killed after {', '.join(f'{grace:.3f}' for grace in graces)} s")
    assert all(0.45 < grace < 10 for grace in graces)
    assert len(ear.of("reap", "w", exit_code=-9, reason="killed")) == 2
    assert daemon.status("w")["status"] == "stopped"


@pytest.mark.parametrize("how", ["signum", "grace"])
def test_a_kill_reaches_those_that_are_going(
    start: Start, listen: Listen, tmp_path: Path, how: str
) -> None:
    text = STUBBORN.replace("DIR", str(tmp_path)).replace("= 0.5", "= 600")
    daemon = start(f"[watcher:w]\n{text}")
    until(lambda: (tmp_path / "1").exists())
    ear = listen(daemon)
    daemon.ok("stop", name="w")
    more = {"signum": "KILL"} if how == "signum" else {"graceful_timeout": 0.1}
    daemon.ok("kill", name="w", waiting=True, **more)
    ear.wait_for("stop", "w")
    assert [one.body["signum"] for one in ear.of("kill", "w")] == [15, 9]


def test_a_stop_in_time_needs_no_second_signal(start: Start, listen: Listen) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\nstop_signal = INT\nnumprocesses = 2\n")
    daemon.until_active("w", 2)
    ear = listen(daemon)
    daemon.ok("stop", name="w", waiting=True)
    assert ear.kinds("w") == ["kill", "kill", "reap", "reap", "stop"]
    assert len(ear.of("reap", "w", exit_code=-2, reason="stopped")) == 2
    assert len(ear.of("kill", "w", signum=2)) == 2


def test_a_newer_start_wins_over_a_stop_under_way(
    start: Start, listen: Listen, tmp_path: Path
) -> None:
    daemon = start(f"[watcher:w]\n{STUBBORN.replace('DIR', str(tmp_path))}")
    until(lambda: (tmp_path / "1").exists())
    before = daemon.pids("w")
    ear = listen(daemon)
    daemon.ok("stop", name="w")
    info = daemon.ok("start", name="w", waiting=True)["info"]
    assert info["started"] == daemon.pids("w") != before
    assert ear.kinds("w") == ["kill", "kill", "reap", "stop", "spawn", "start"]


def test_a_newer_stop_wins_over_a_start_under_way(start: Start) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\nnumprocesses = 50\nwarmup_delay = 1\n")
    slow = daemon.caller.send("start", name="w", waiting=True)
    daemon.ok("stop", name="w", waiting=True)
    reply = daemon.caller.answer(slow)
    assert (reply["status"], reply["errno"]) == ("error", 5)
    assert reply["reason"] == "the start was superseded by a newer stop"
    assert daemon.pids("w") == []


def test_decr_stops_the_oldest(start: Start, listen: Listen) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\n")
    first = daemon.until_active("w", 1)
    for count in (2, 3, 4):
        assert daemon.ok("incr", name="w", waiting=True)["numprocesses"] == count
    ear = listen(daemon)
    by_age = first + [pid for pid in daemon.pids("w") if pid not in first]
    assert daemon.ok("decr", name="w", nb=2, waiting=True)["numprocesses"] == 2
    assert daemon.pids("w") == by_age[2:]
    assert [one.pid for one in ear.of("kill", "w")] == by_age[:2]
    assert {one.pid for one in ear.of("reap", "w", reason="stopped")} == set(by_age[:2])
    assert daemon.ok("decr", name="w", nb=9, waiting=True)["numprocesses"] == 0
    assert daemon.status("w")["status"] == "active"
    assert daemon.ok("incr", name="w", waiting=True)["numprocesses"] == 1


def test_kill_replaces_and_knows_other_signals_and_graces(start: Start, listen: Listen) -> None:
    stubborn = "sh -c 'trap \"\" TERM; exec sleep 1000'"
    daemon = start(f"[watcher:w]\ncmd = {stubborn}\nnumprocesses = 2\ngraceful_timeout = 1\n")
    victim, other = daemon.until_active("w", 2)
    ear = listen(daemon)
    daemon.ok("kill", name="w", pid=victim, signum="QUIT", waiting=True)
    assert [one.body["signum"] for one in ear.of("kill", "w")] == [3]
    assert ear.wait_for("reap", "w", exit_code=-3)[0].pid == victim
    ear.wait_for("spawn", "w")
    assert other in daemon.pids("w")
    until(
        lambda: all(Path(f"/proc/{pid}/comm").read_text() == "sleep\n" for pid in daemon.pids("w"))
    )
    daemon.ok("kill", name="w", graceful_timeout=0.2, waiting=True)
    reaped = ear.wait_for("reap", "w", count=2, reason="killed")
    assert other in [event.pid for event in reaped]
    until(lambda: len(daemon.pids("w")) == 2)


def test_rm_stops_and_forgets(start: Start, listen: Listen) -> None:
    daemon = start("[watcher:W]\ncmd = sleep 1000\nnumprocesses = 2\n")
    pids = daemon.until_active("w", 2)
    ear = listen(daemon)
    daemon.ok("rm", name="w", waiting=True)
    assert ear.kinds("w") == ["kill", "kill", "reap", "reap", "stop", "remove"]
    assert not any(map(is_alive, pids))
    assert daemon.refused("status", name="w") == (3, "program w not found")
    assert daemon.ok("list")["watchers"] == []


def test_rm_nostop_leaves_them_running_beyond_the_daemon(start: Start, listen: Listen) -> None:
    daemon = start("[watcher:w]\ncmd = sleep 1000\nnumprocesses = 2\n")
    pids = daemon.until_active("w", 2)
    ear = listen(daemon)
    daemon.ok("rm", name="w", nostop=True, waiting=True)
    assert ear.kinds("w") == ["remove"]
    daemon.ok("add", name="w", cmd="sleep 999", start=True, waiting=True)
    os.kill(pids[0], signal.SIGKILL)
    assert ear.wait_for("reap", "w", exit_code=-9)[0].pid == pids[0]
    assert daemon.ok("numprocesses", name="w")["numprocesses"] == 1
    daemon.adrift = {pids[1]}
    assert daemon.stop() == 0
    assert is_alive(pids[1])


@pytest.mark.parametrize("stop_children", [True, False])
def test_a_stop_takes_the_whole_tree(start: Start, tmp_path: Path, stop_children: bool) -> None:
    command = f"{sys.executable} tests/live/family.py {tmp_path}"
    options = f"stop_children = {stop_children}\ngraceful_timeout = 3\n"
    daemon = start(f"[watcher:family]\ncmd = {command}\n{options}")
    names = ("parent", "first", "second", "grandchild")
    until(lambda: all((tmp_path / name).exists() for name in names))
    until(lambda: len(set(daemon.alive()) - set(daemon.own_pids())) == len(names))
    daemon.ok("stop", name="family", waiting=True)
    assert set(daemon.alive()) == set(daemon.own_pids())


def test_signals_go_to_whom_they_are_meant_for(start: Start, tmp_path: Path) -> None:
    daemon = start(f"[watcher:family]\ncmd = {sys.executable} tests/live/family.py {tmp_path}\n")
    names = ("parent", "first", "second", "grandchild")

    def diary(name: str) -> list[str]:
        try:
            return (tmp_path / name).read_text().split()
        except FileNotFoundError:
            return []

    until(lambda: all(diary(name) for name in names))
    pids = {name: int(diary(name)[0]) for name in names}
    assert daemon.pids("family") == [pids["parent"]]
    wishes: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"parent"}),
        ({"pid": pids["parent"]}, {"parent"}),
        ({"process": 1}, {"parent"}),
        ({"children": True}, {"first", "second"}),
        ({"pid": pids["parent"], "children": True}, {"first", "second"}),
        ({"pid": pids["parent"], "childpid": pids["second"]}, {"second"}),
        ({"process": 1, "childpid": pids["first"]}, {"first"}),
        ({"recursive": True}, set(names)),
    ]
    heard = dict.fromkeys(names, 0)
    for properties, hearers in wishes:
        daemon.ok("signal", name="family", signum="usr1", **properties)
        for name in hearers:
            heard[name] += 1
        until(lambda: all(len(diary(name)) - 1 == heard[name] for name in names))
    refused = {"pid": pids["parent"], "childpid": pids["grandchild"]}
    assert daemon.refused("signal", name="family", signum=1, **refused)[0] == 3
    assert daemon.refused("signal", name="family", signum=1, process=2)[0] == 3
