"""How new processes take the place of old ones, and what `set` does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import Daemon, until
from tests.live.wire import Ear

Start = Callable[..., Daemon]
Listen = Callable[..., Ear]

THREE = "[watcher:w]\ncmd = sleep 1000\nnumprocesses = 3\n"


@pytest.mark.parametrize(
    ("command", "properties", "kinds"),
    [
        ("reload", {}, ["spawn"] * 3 + ["kill"] * 3 + ["reap"] * 3 + ["reload"]),
        ("reload", {"sequential": True}, ["kill", "reap", "spawn"] * 3 + ["reload"]),
        (
            "reload",
            {"graceful": False},
            ["kill"] * 3 + ["reap"] * 3 + ["stop"] + ["spawn"] * 3 + ["start"],
        ),
        ("restart", {}, ["kill"] * 3 + ["reap"] * 3 + ["stop"] + ["spawn"] * 3 + ["start"]),
    ],
)
def test_everybody_is_replaced_in_order(
    start: Start, listen: Listen, command: str, properties: dict[str, bool], kinds: list[str]
) -> None:
    daemon = start(THREE)
    before = daemon.until_active("w", 3)
    ear = listen(daemon)
    info = daemon.ok(command, name="w", waiting=True, **properties)["info"]
    after = daemon.pids("w")
    assert (sorted(info["stopped"]), info["kept"]) == (sorted(before), [])
    assert sorted(info["started"]) == sorted(after)
    assert not set(before) & set(after)
    if kinds[0] == "spawn":
        # Each old one goes as soon as it may: what counts is that enough are there all along.
        assert_never_fewer(ear, 3)
        assert sorted(ear.kinds("w")) == sorted(kinds)
        assert ear.kinds("w")[-1] == "reload"
    else:
        assert ear.kinds("w") == kinds
    reasons = {one.body["reason"] for one in ear.of("reap", "w")}
    assert reasons == {"reloaded" if "reload" in kinds else "stopped"}


def assert_never_fewer(ear: Ear, count: int) -> None:
    """Check that no process was asked to go while fewer than so many others were there."""
    there = count
    for kind in ear.kinds("w"):
        there += {"spawn": 1, "kill": -1}.get(kind, 0)
        assert there >= count, ear


def test_a_reload_whose_new_processes_can_not_start_keeps_the_old(
    start: Start, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    daemon = start(f"[watcher:w]\ncmd = {program}\nnumprocesses = 2\nmax_retry = 2\n")
    before = daemon.until_active("w", 2)
    # As long as it is a shell, it may still have to read the file.
    until(lambda: list(daemon.alive().values()).count("sleep 1000") == 2)
    program.rename(tmp_path / "moved")
    errno, why = daemon.refused("reload", name="w", waiting=True)
    assert (errno, "no such program" in why) == (5, True)
    assert before == daemon.pids("w")
    (tmp_path / "moved").rename(program)
    daemon.ok("reload", name="w", waiting=True)
    assert not set(before) & set(daemon.pids("w"))


def test_reload_of_all_leaves_what_is_stopped(start: Start) -> None:
    daemon = start(f"{THREE}[watcher:off]\ncmd = sleep 1000\nautostart = no\n")
    before = daemon.until_active("w", 3)
    daemon.ok("reload", waiting=True)
    assert not set(before) & set(daemon.pids("w"))
    assert daemon.status("off")["status"] == "stopped"


def test_send_hup_tells_the_processes_and_keeps_them(
    start: Start, listen: Listen, tmp_path: Path
) -> None:
    command = f"cmd = {sys.executable} tests/live/family.py {tmp_path}\nsend_hup = True\n"
    daemon = start(f"[watcher:w]\n{command}")
    diary = tmp_path / "parent"
    until(diary.exists)
    before = daemon.pids("w")
    ear = listen(daemon)
    assert daemon.ok("reload", name="w", waiting=True)["info"]["kept"] == before
    until(lambda: diary.read_text().split()[1:] == ["SIGHUP"])
    assert daemon.pids("w") == before
    assert ear.kinds("w") == ["reload"]


def test_who_is_too_old_is_replaced_new_before_old(start: Start, listen: Listen) -> None:
    text = "cmd = sleep 1000\nnumprocesses = 2\nmax_age = 1\nmax_age_variance = 0\n"
    daemon = start(f"[watcher:w]\n{text}autostart = no\n")
    ear = listen(daemon)
    daemon.ok("start", name="w", waiting=True)
    first = [spawn.pid for spawn in ear.wait_for("spawn", "w", count=2)[:2]]
    reaps = ear.wait_for("reap", "w", count=2)
    born = {one.pid: one.body["time"] for one in ear.of("spawn", "w")}
    assert {reap.pid for reap in reaps[:2]} == set(first)
    assert {reap.body["reason"] for reap in reaps[:2]} == {"expired"}
    ages = [reap.body["time"] - born[reap.pid] for reap in reaps[:2]]
    assert min(ages) > 0.95
    assert_never_fewer_after_start(ear)


def assert_never_fewer_after_start(ear: Ear) -> None:
    """Check that two were there all along, once there were two."""
    kinds = ear.kinds("w")
    there = 2
    for kind in kinds[kinds.index("start") :]:
        there += {"spawn": 1, "kill": -1}.get(kind, 0)
        assert there >= 2, ear


def test_set_of_several_options_tells_each_and_does_what_follows(
    start: Start, listen: Listen
) -> None:
    daemon = start(THREE)
    before = daemon.until_active("w", 3)
    ear = listen(daemon)
    calm = {"graceful_timeout": 7.0, "stop_signal": 15, "max_retry": 9, "warmup_delay": 0}
    daemon.ok("set", name="w", options=calm, waiting=True)
    assert [one.body["option"] for one in ear.of("updated", "w")] == list(calm)
    assert daemon.pids("w") == before
    ear.forget()
    options = {"cmd": "sleep 999", "numprocesses": 2, "env": {"COLOUR": "red"}}
    daemon.ok("set", name="w", options=options, waiting=True)
    assert [one.body["option"] for one in ear.wait_for("updated", "w", count=3)] == list(options)
    until(lambda: len(daemon.pids("w")) == 2 and not set(daemon.pids("w")) & set(before))
    for pid in daemon.pids("w"):
        process = psutil.Process(pid)
        assert process.cmdline() == ["sleep", "999"]
        assert process.environ()["COLOUR"] == "red"
    shown = daemon.ok("options", name="w", as_set=True)["options"]
    assert {key: shown[key] for key in options} == options
    assert daemon.refused("set", name="w", options={"numprocesses": 5, "nope": 1})[0] == 3
    assert daemon.ok("numprocesses", name="w")["numprocesses"] == 2


def test_set_on_a_stopped_watcher_starts_nothing(start: Start, listen: Listen) -> None:
    daemon = start(f"{THREE}autostart = no\n")
    ear = listen(daemon)
    daemon.ok("set", name="w", options={"numprocesses": 1, "cmd": "sleep 999"}, waiting=True)
    assert ear.kinds("w") == ["updated", "updated"]
    assert daemon.ok("start", name="w", waiting=True)["info"]["started"] == daemon.pids("w")
    assert len(daemon.pids("w")) == 1


def test_reloadconfig_applies_what_differs_and_leaves_the_rest(
    start: Start, listen: Listen
) -> None:
    same = "[watcher:same]\ncmd = sleep 1000\nnumprocesses = 2\n"
    daemon = start(f"{same}[watcher:gone]\ncmd = sleep 1000\n[watcher:other]\ncmd = sleep 1000\n")
    before = {name: daemon.until_active(name) for name in ("same", "gone", "other")}
    ear = listen(daemon)
    daemon.write(f"{same}[watcher:other]\ncmd = sleep 999\n[watcher:new]\ncmd = sleep 1000\n")
    daemon.ok("reloadconfig", waiting=True)
    assert daemon.ok("list")["watchers"] == ["new", "other", "same"]
    assert daemon.pids("same") == before["same"]
    until(lambda: daemon.pids("other") != before["other"])
    assert ear.kinds("same") == []
    daemon.write(f"{same}[watcher:bad]\nnumprocesses = x\n")
    errno, why = daemon.refused("reloadconfig", waiting=True)
    assert errno == 5
    assert "bad" in why
    assert daemon.ok("list")["watchers"] == ["new", "other", "same"]


def test_reloadconfig_names_the_free_form_key_that_differs(start: Start, listen: Listen) -> None:
    daemon = start(f"{THREE}foo = 1\nmy.bar = 1\n")
    before = daemon.until_active("w", 3)
    ear = listen(daemon)
    daemon.write(f"{THREE}foo = 2\nmy.bar = 1\nmax_retry = 9\n")
    plan = daemon.ok("reloadconfig", waiting=True)["plan"]["watchers"]
    assert [one["reason"] for one in plan if one["name"] == "w"] == ["max_retry and foo differ"]
    options = [one.body["option"] for one in ear.wait_for("updated", "w", count=2)]
    assert options == ["max_retry", "foo"]
    assert daemon.pids("w") == before


def test_restart_of_all_reads_the_file_again_in_the_same_pid(start: Start) -> None:
    daemon = start(THREE)
    before = daemon.until_active("w", 3)
    daemon.write("[watcher:w]\ncmd = sleep 999\nnumprocesses = 1\n[watcher:new]\ncmd = sleep 1\n")
    daemon.ok("restart", waiting=True)
    assert not set(before) & set(daemon.until_active("w", 1))
    assert daemon.ok("list")["watchers"] == ["new", "w"]
    assert daemon.process.poll() is None


def test_quit_ends_with_the_last_word_to_who_waits(start: Start, listen: Listen) -> None:
    daemon = start(THREE)
    daemon.until_active("w", 3)
    ear = listen(daemon)
    begun = time.monotonic()
    daemon.ok("quit", waiting=True)
    assert ear.wait_for("stop", "w")
    assert daemon.process.wait(10) == 0
    print(f"quit of three took {time.monotonic() - begun:.2f} s")
    assert ear.kinds("w") == ["kill"] * 3 + ["reap"] * 3 + ["stop"]
