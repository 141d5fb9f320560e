"""What was changed at run time is kept in a file of its own, which the next start reads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.live.daemon import Daemon, until

pytestmark = pytest.mark.live

BODY = """
[watcher:web]
cmd = sleep 1000
ready = spawned
[watcher:other]
cmd = sleep 1000
ready = spawned
[env:web]
A = 1
"""


@pytest.fixture
def daemon() -> Any:
    started = Daemon(BODY).start()
    yield started
    try:
        started.account()
    finally:
        started.clean_up()


def change_much(daemon: Daemon) -> None:
    """Change something of every kind."""
    daemon.ok("incr", name="web", nb=2, waiting=True)
    daemon.ok("set", name="web", options={"graceful_timeout": 7.5, "env": {"A": "1", "B": "x y"}})
    daemon.ok("stop", name="other", waiting=True)
    daemon.ok("add", name="new", cmd="sleep 500", options={"priority": 3, "ready": "spawned"})
    daemon.ok("start", name="new", waiting=True)


def test_the_next_start_finds_what_was_changed(daemon: Daemon) -> None:
    change_much(daemon)
    saved = daemon.folder / "circus.saved.ini"
    assert daemon.ok("save")["file"] == str(saved)
    assert saved.stat().st_mode & 0o777 == 0o600
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.status("other")["status"] == "stopped"
    assert len(daemon.until_active("web", 3)) == 3
    assert len(daemon.until_active("new", 1)) == 1
    options = daemon.ok("options", name="web", as_set=True)["options"]
    assert (options["graceful_timeout"], options["env"]) == (7.5, {"A": "1", "B": "x y"})
    assert daemon.ok("options", name="new")["options"]["priority"] == 3
    assert daemon.ok("save")["changes"] == []


def test_what_was_saved_before_stays(daemon: Daemon) -> None:
    daemon.ok("incr", name="web", waiting=True)
    daemon.ok("save")
    daemon.ok("reloadconfig", waiting=True)
    daemon.ok("set", name="web", options={"graceful_timeout": 9.0}, waiting=True)
    daemon.ok("save")
    text = (daemon.folder / "circus.saved.ini").read_text()
    assert "numprocesses = 2\n" in text
    assert "graceful_timeout = 9.0\n" in text


def test_the_difference_is_told_and_nothing_written(daemon: Daemon) -> None:
    change_much(daemon)
    planned = daemon.ok("save", plan=True)
    assert planned["file"] is None
    assert {change["name"]: change["new"] for change in planned["changes"]} == {
        "web": False,
        "other": False,
        "new": True,
    }
    assert not (daemon.folder / "circus.saved.ini").exists()
    shown = daemon.control("reloadconfig", "--plan").stdout
    assert "web: numprocesses = 3\n" in shown
    assert "other: autostart = False\n" in shown
    assert "new: is in no file\n" in shown


def test_what_a_file_can_not_say_is_refused(daemon: Daemon) -> None:
    daemon.ok("set", name="web", options={"env": {"A": "one ; two"}}, waiting=True)
    _, reason = daemon.refused("save")
    assert "A = 'one ; two' can not be written" in reason
    assert not (daemon.folder / "circus.saved.ini").exists()


def test_a_job_that_has_ended_is_not_taken_for_stopped(daemon: Daemon) -> None:
    body = f"{BODY}[watcher:job]\ncmd = true\nautorestart = unexpected\n"
    daemon.write(body)
    daemon.ok("reloadconfig", waiting=True)
    until(lambda: daemon.status("job")["completed"])
    assert daemon.ok("save", plan=True)["changes"] == []
    daemon.write(body.replace("cmd = true", "cmd = false"))
    (step,) = [
        step
        for step in daemon.ok("reloadconfig", plan=True)["plan"]["watchers"]
        if step["name"] == "job"
    ]
    assert step["reason"] == "cmd differs; it has come to its end and stays so"
