"""Hooks in a real daemon: each kind is called with what it should get, and may hang or fail."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.wire import Ear

Listen = Callable[..., Ear]

DIARY = """
import json, time, pathlib
diary = pathlib.Path(__file__).with_suffix(".diary")
def note(hook_name, watcher, arbiter, **extra):
    extra.pop("stats", None)
    told = dict(extra, hook=hook_name, watcher=watcher.name, status=watcher.status(),
                pids=watcher.pids, wanted=watcher.numprocesses, others=arbiter.numwatchers())
    with diary.open("a") as out:
        out.write(json.dumps(told) + "\\n")
async def note_later(**told):
    note(**told)
def no(**_): return False
def none(**_): return None
def wrong(**_): raise RuntimeError("boom")
def leave(**_): raise SystemExit(3)
def hang(**_): time.sleep(1000)
def more(stats, **_): stats["answer"] = 42
def at_second(watcher, calls=[], **_):
    calls.append(1)
    return len(calls) > 1
def tell(watcher, **_): watcher.notify_event("said", {"what": "hello"})
"""

EVERY = (
    *("before_start", "after_start", "before_spawn", "after_spawn", "before_stop", "after_stop"),
    *("before_signal", "after_signal", "before_reap", "after_reap"),
)


class Hooked:
    """A daemon with one watcher, whose hooks are in a module beside it."""

    def __init__(self, start: Start, folder: Path, *options: str, name: str) -> None:
        self.module = folder / f"{name}.py"
        self.module.write_text(DIARY)
        self.name = name
        lines = [
            option.replace("= ", f"= {name}.", 1) if option.startswith("hooks.") else option
            for option in options
        ]
        path = f"[env:w]\nPYTHONPATH = {folder}\n"
        self.daemon: Daemon = start(
            "\n".join(["[watcher:w]", "cmd = sleep 1000", *lines, "hook_timeout = 5", path])
        )

    def told(self, *hooks: str) -> list[dict[str, Any]]:
        """Return what was noted, in order."""
        diary = self.module.with_suffix(".diary")
        lines = diary.read_text().splitlines() if diary.exists() else []
        told = [json.loads(line) for line in lines]
        return [one for one in told if not hooks or one["hook"] in hooks]


@pytest.fixture
def hooked(start: Start, tmp_path: Path) -> Callable[..., Hooked]:
    """Start a daemon with hooks."""
    return lambda *options: Hooked(start, tmp_path, *options, name="told_hooks")


@pytest.mark.parametrize("function", ["note", "note_later"])
def test_each_hook_is_told_what_it_should_know(
    hooked: Callable[..., Hooked], function: str
) -> None:
    web = hooked(*(f"hooks.{hook} = {function}" for hook in EVERY))
    (pid,) = web.daemon.until_active("w", 1)
    web.daemon.ok("stop", name="w", waiting=True)
    until(lambda: {one["hook"] for one in web.told()} == set(EVERY))
    told = {one.pop("hook"): one for one in web.told()}
    assert [one["watcher"] for one in told.values()] == ["w"] * len(EVERY)
    assert [one["others"] for one in told.values()] == [1] * len(EVERY)
    assert told["after_spawn"]["pid"] == pid
    assert told["after_spawn"]["pids"] == [pid]
    assert told["before_signal"]["pid"] == pid
    assert told["before_signal"]["signum"] == told["after_signal"]["signum"] == 15
    assert told["before_reap"]["process_pid"] == pid
    assert told["after_reap"]["exit_code"] == -15
    assert told["after_reap"]["reason"] == "stopped"
    assert told["before_start"]["status"] == "starting"
    assert told["before_stop"]["status"] == "stopping"
    assert told["after_stop"]["status"] == "stopped"


def test_a_no_before_the_start_keeps_it_stopped(hooked: Callable[..., Hooked]) -> None:
    web = hooked("hooks.before_start = no")
    until(lambda: web.daemon.status("w")["status"] == "stopped")
    assert web.daemon.status("w")["reason"] == "before_start said no (told_hooks.no)"
    assert web.daemon.said("watcher w: before_start said no (told_hooks.no)")


def test_none_is_no_veto(hooked: Callable[..., Hooked]) -> None:
    hooked(*(f"hooks.{hook} = none" for hook in EVERY)).daemon.until_active("w", 1)


def test_a_no_before_a_spawn_is_asked_again(hooked: Callable[..., Hooked]) -> None:
    hooked("hooks.before_spawn = at_second").daemon.until_active("w", 1)


@pytest.mark.parametrize("flag", ["", ",true"])
def test_a_failure_counts_as_no_unless_it_is_ignored(
    hooked: Callable[..., Hooked], flag: str
) -> None:
    web = hooked(f"hooks.before_start = leave{flag}")
    if flag:
        web.daemon.until_active("w", 1)
        return
    until(lambda: web.daemon.status("w")["status"] == "stopped")
    reason = "before_start failed (told_hooks.leave): SystemExit: 3"
    assert web.daemon.status("w")["reason"] == reason


def test_success_and_failure_are_events(hooked: Callable[..., Hooked], listen: Listen) -> None:
    web = hooked("hooks.before_start = none", "hooks.after_stop = wrong")
    web.daemon.until_active("w", 1)
    ear = listen(web.daemon)
    web.daemon.ok("restart", name="w", waiting=True)
    assert ear.wait_for("hook_success", "w")[0].body["name"] == "before_start"
    failure = ear.wait_for("hook_failure", "w")[0].body
    assert (failure["name"], failure["error"]) == ("after_stop", "boom")
    web.daemon.tracebacks = 2


def test_a_vetoed_signal_is_not_sent_but_sigkill_is(hooked: Callable[..., Hooked]) -> None:
    web = hooked("hooks.before_signal = no", "graceful_timeout = 0.5")
    (pid,) = web.daemon.until_active("w", 1)
    web.daemon.ok("signal", name="w", signum="term")
    until(lambda: web.daemon.said("before_signal said no"))
    assert web.daemon.pids("w") == [pid]
    web.daemon.ok("stop", name="w", waiting=True)
    assert web.daemon.status("w")["last_exit"] == -9


def test_the_daemon_answers_while_a_hook_hangs(hooked: Callable[..., Hooked]) -> None:
    web = hooked("hooks.before_stop = hang", "hook_timeout = 5", "hooks.after_spawn = hang,true")
    web.daemon.until_active("w", 1)
    begun = time.monotonic()
    web.daemon.ok("stop", name="w")
    web.daemon.ok("list")
    assert time.monotonic() - begun < 4
    assert web.daemon.status("w")["status"] == "stopping"
    until(lambda: web.daemon.status("w")["status"] == "stopped")
    assert web.daemon.said("before_stop failed (told_hooks.hang): no answer in 5 s")


def test_statistics_may_be_extended(hooked: Callable[..., Hooked]) -> None:
    web = hooked("hooks.extended_stats = more")
    (pid,) = web.daemon.until_active("w", 1)
    info = web.daemon.ok("stats", name="w", extended=True)["info"][str(pid)]
    assert info["answer"] == 42
    assert "answer" not in web.daemon.ok("stats", name="w")["info"][str(pid)]


def test_a_changed_file_is_read_anew_at_a_reload(hooked: Callable[..., Hooked]) -> None:
    web = hooked("hooks.after_spawn = none")
    web.daemon.until_active("w", 1)
    changed = DIARY.replace("def none(**_): return None", "def none(**told): return note(**told)")
    web.module.write_text(changed)
    assert web.told() == []
    web.daemon.ok("reload", name="w", waiting=True)
    until(lambda: web.told("after_spawn") != [])


def test_a_hook_can_be_set_at_run_time(hooked: Callable[..., Hooked]) -> None:
    web = hooked("hooks.after_stop = none")
    (pid,) = web.daemon.until_active("w", 1)
    web.daemon.ok("set", name="w", options={"hooks.before_signal": "told_hooks.note"}, waiting=True)
    assert web.daemon.pids("w") == [pid]
    web.daemon.ok("stop", name="w", waiting=True)
    assert web.told("before_signal")[0]["pid"] == pid


def test_a_hook_can_publish_an_event(hooked: Callable[..., Hooked], listen: Listen) -> None:
    web = hooked("hooks.before_start = tell")
    web.daemon.until_active("w", 1)
    ear = listen(web.daemon)
    web.daemon.ok("restart", name="w", waiting=True)
    assert ear.wait_for("said", "w")[0].body["what"] == "hello"


def test_one_that_is_not_there_is_said_in_a_sentence(hooked: Callable[..., Hooked]) -> None:
    web = hooked("hooks.before_start = nowhere")
    until(lambda: web.daemon.status("w")["status"] == "stopped")
    assert "told_hooks.nowhere can not be called" in web.daemon.status("w")["reason"]
