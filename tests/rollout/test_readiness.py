"""Real processes that say they are ready, or do not; and a watchdog over them."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.conftest import Start
from tests.live.daemon import until
from tests.live.wire import Ear

Listen = Callable[..., Ear]

NOTIFY = """
import os, socket, sys, time
def say(text):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(text.encode(), "\\0" + os.environ["NOTIFY_SOCKET"][1:])
"""
READY = f"{NOTIFY}\nsay('STATUS=booting')\ntime.sleep(0.3)\nsay('READY=1\\nSTATUS=at work')\n"
STAY = "\ntime.sleep(1000)\n"

SCRIPT = """#!/bin/sh
# As systemd-notify does it: a program of its own says the word, and ends.
{teller}
sleep 1000
"""


def program(folder: Path, text: str, name: str = "program.py") -> str:
    """Write a program and return its command line."""
    (folder / name).write_text(text)
    return f"{sys.executable} {folder / name}"


def watcher(command: str, *options: str) -> str:
    """Return the section of a watcher."""
    return "\n".join(["[watcher:w]", f"cmd = {command}", *options, ""])


def test_a_reload_waits_for_the_word(start: Start, tmp_path: Path, listen: Listen) -> None:
    daemon = start(watcher(program(tmp_path, READY + STAY), "ready = notify"))
    (before,) = daemon.until_active("w", 1)
    ear = listen(daemon)
    info = daemon.ok("reload", name="w", waiting=True)["info"]
    assert info["stopped"] == [before]
    ear.wait_for("reload", "w")
    assert ear.kinds("w") == ["spawn", "kill", "reap", "reload"]
    spawned, killed = ear.of("spawn", "w")[0], ear.of("kill", "w")[0]
    # The spawn may be told a moment after the program has begun.
    assert killed.body["time"] - spawned.body["time"] >= 0.1
    assert "at work" in str(daemon.ok("stats", name="w"))
    assert "at work" in daemon.control("status", "w", "--long").stdout


def test_who_need_not_speak_is_heard_all_the_same(start: Start, tmp_path: Path) -> None:
    daemon = start(watcher(program(tmp_path, READY + STAY), "numprocesses = 3"))
    until(lambda: str(daemon.ok("status", name="w")["said"]).count("at work") == 3)
    daemon.ok("restart", name="w", waiting=True)
    until(lambda: str(daemon.ok("status", name="w")["said"]).count("at work") == 3)


def test_a_release_that_is_never_ready_changes_nothing(
    start: Start, tmp_path: Path, listen: Listen
) -> None:
    command = program(tmp_path, READY + STAY)
    options = ("ready = notify", "ready_timeout = 1", "numprocesses = 2")
    daemon = start(watcher(command, *options))
    before = daemon.until_active("w", 2)
    until(lambda: str(daemon.ok("stats", name="w")).count("at work") == 2)
    program(tmp_path, NOTIFY + STAY)
    ear = listen(daemon)
    errno, reason = daemon.refused("reload", name="w", waiting=True)
    reason, _, stays = reason.partition("; ")
    assert (errno, reason.endswith("was not ready in 1 s")) == (5, True)
    assert stays == "the old processes stay"
    assert daemon.said(f"[ERROR] w is not renewed: {reason}")
    assert daemon.status("w")["reason"] == reason
    until(lambda: daemon.pids("w") == before)
    assert ear.of("rollout_failed", "w")[0].body["reason"] == reason
    program(tmp_path, READY + STAY)
    daemon.ok("reload", name="w", waiting=True)
    assert not set(before) & set(daemon.pids("w"))
    assert daemon.status("w")["reason"] is None


def test_options_that_never_get_ready_are_taken_back(start: Start, tmp_path: Path) -> None:
    good, bad = program(tmp_path, READY + STAY), program(tmp_path, "import sys; sys.exit(3)", "bad")
    daemon = start(watcher(good, "ready = notify", "max_retry = 2"))
    before = daemon.until_active("w", 1)
    errno, reason = daemon.refused("set", name="w", options={"cmd": bad}, waiting=True)
    assert (errno, reason) == (
        5,
        "a process exited with 3 before it was ready (2 tries); the old processes stay",
    )
    assert daemon.ok("get", name="w", keys=["cmd"])["options"] == {"cmd": good}
    assert daemon.pids("w") == before


def test_a_helper_that_has_ended_may_have_said_it(start: Start, tmp_path: Path) -> None:
    teller = program(tmp_path, f"{NOTIFY}\nsay('READY=1')\n", "teller.py")
    script = tmp_path / "script"
    script.write_text(SCRIPT.format(teller=teller))
    script.chmod(0o755)
    daemon = start(watcher(str(script), "ready = notify", "ready_timeout = 20"))
    until(lambda: daemon.status("w")["ready"] == 1)
    before = daemon.pids("w")
    assert daemon.ok("reload", name="w", waiting=True)["info"]["stopped"] == before
    assert not daemon.said("not ready")


def test_a_stranger_is_not_heard(start: Start, tmp_path: Path) -> None:
    address = tmp_path / "address"
    text = f"{NOTIFY}\nopen({str(address)!r}, 'w').write(os.environ['NOTIFY_SOCKET'])\n"
    daemon = start(watcher(program(tmp_path, text + STAY), "ready = notify"))
    until(lambda: address.exists() and address.read_text() != "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.sendto(b"READY=1\nSTATUS=lies", "\0" + address.read_text()[1:])
        until(lambda: daemon.said("not heard"))
    assert "lies" not in str(daemon.ok("stats", name="w"))


def test_a_line_of_output_is_the_word(start: Start, tmp_path: Path) -> None:
    text = "import time\nprint('boot', flush=True)\ntime.sleep(0.3)\n"
    text += "print('serv', end='', flush=True)\nprint('ing on 80', flush=True)\n"
    daemon = start(
        watcher(
            program(tmp_path, text + STAY),
            r"ready = log:^serving on \d+",
            f"stdout_stream.filename = {tmp_path / 'out'}",
        )
    )
    before = daemon.until_active("w", 1)
    info = daemon.ok("reload", name="w", waiting=True)["info"]
    assert info["stopped"] == before


@pytest.mark.parametrize("silent", [True, False])
def test_a_watchdog_replaces_one_that_hangs(
    start: Start, tmp_path: Path, listen: Listen, *, silent: bool
) -> None:
    text = f"{NOTIFY}\nassert os.environ['WATCHDOG_USEC'] == '1000000'\n"
    text += "say('READY=1')\nfor _ in range(15):\n    time.sleep(0.1); say('WATCHDOG=1')\n"
    text += STAY if silent else "while True:\n    time.sleep(0.1); say('WATCHDOG=1')\n"
    daemon = start(watcher(program(tmp_path, text), "ready = notify", "watchdog = 1"))
    ear = listen(daemon)
    (before,) = daemon.until_active("w", 1)
    if not silent:
        until(lambda: daemon.ok("stats", name="w")["info"][str(before)]["age"] > 3)
        assert daemon.pids("w") == [before]
        return
    (told,) = ear.wait_for("reap", "w", process_pid=before)
    assert told.body["reason"] == "watchdog"
    until(lambda: daemon.pids("w") not in ([before], []))
    assert daemon.said("did not ping its watchdog in 1 s") or daemon.status("w")["restarts"] == 1
