"""The first minutes of a user: three workers that answer, a death, and circusctl on them."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable

import pytest

from tests.live.daemon import ROOT, Daemon, free_port, until
from tests.live.wire import Ear

EXAMPLE = ROOT / "docs" / "examples" / "quickstart.ini"
REPLACED_WITHIN = 1.0
"""Seconds; a few milliseconds on a machine that has nothing else to do."""


def answer(port: int) -> dict[str, int] | None:
    """Return which worker answers, if one does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=5) as reply:
            said: dict[str, int] = json.load(reply)
            return said
    except OSError:
        return None


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def web(start: Callable[..., Daemon], port: int) -> Daemon:
    """Run the example, with another port and endpoints."""
    text = EXAMPLE.read_text(encoding="utf-8")
    section = text[text.index("[watcher:web]") :]
    assert "--port 8000" in section
    daemon = start(section.replace("--port 8000", f"--port {port}"))
    until(lambda: met(port, 3))
    return daemon


def met(port: int, count: int, tries: int = 30) -> bool:
    """Tell whether so many workers answer."""
    seen = {said["wid"] for _ in range(tries) if (said := answer(port))}
    return len(seen) == count


def test_the_three_workers_are_those_that_are_listed(web: Daemon, port: int) -> None:
    listed = set(web.pids("web"))
    assert len(listed) == 3
    assert {said["pid"] for _ in range(30) if (said := answer(port))} <= listed


def test_a_killed_worker_is_replaced_at_once_and_events_tell_it(
    web: Daemon, listen: Callable[..., Ear], port: int
) -> None:
    ear = listen(web, "watcher.web.")
    took = []
    for wid in (1, 2, 3):
        victim = web.pids("web")[wid - 1]
        begun = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        spawn = ear.wait_for("spawn", count=wid)[-1]
        took.append((spawn.at - begun) * 1000)
        reap = ear.of("reap")[-1]
        assert (reap.pid, reap.body["exit_code"], reap.body["reason"]) == (victim, -9, "exited")
        assert spawn.body["process_id"] == reap.body["process_id"] == wid
        assert spawn.body["seq"] == reap.body["seq"] + 1
        assert spawn.pid in web.pids("web")
    print(f"replaced after {', '.join(f'{ms:.1f}' for ms in took)} ms")
    assert max(took) < REPLACED_WITHIN * 1000
    assert ear.kinds("web") == ["reap", "spawn"] * 3
    until(lambda: met(port, 3))


def test_circusctl_acts_on_the_workers(web: Daemon, port: int) -> None:
    def said(*words: str) -> str:
        done = web.control(*words)
        assert (done.returncode, done.stderr) == (0, ""), words
        return done.stdout

    assert said("status") == "web: active\n"
    assert said("incr", "web") == "4\n"
    assert said("numprocesses", "web") == "4\n"
    until(lambda: met(port, 4))
    before = web.pids("web")
    assert said("decr", "web", "2", "--waiting") == "2\n"
    assert said("list", "web") == ",".join(map(str, before[2:])) + "\n"
    assert said("stop", "web", "--waiting") == "ok\n"
    assert said("status", "web") == "stopped\n"
    assert answer(port) is None
    assert said("start", "web", "--waiting") == "ok\n"
    until(lambda: met(port, 2))
    old = web.pids("web")
    assert said("restart", "web", "--waiting") == "ok\n"
    until(lambda: met(port, 2))
    assert not set(old) & set(web.pids("web"))
    assert said("quit", "--waiting") == "ok\n"
    assert web.process.wait(10) == 0
    assert answer(port) is None
