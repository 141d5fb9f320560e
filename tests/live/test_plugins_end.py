"""Plugins end with their daemon, however either of them ends."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, free_port, is_alive, until
from tests.live.wire import Caller

WATCHER = "[watcher:w]\ncmd = sleep 1000\ngraceful_timeout = 1\n"
LONGEST_END = 2.0 + 3.0
"""What a plugin may add to the end of the daemon, and what a busy machine may."""


def stubborn(way: str, isolate: bool, name: str = "s") -> str:
    return (
        f"[plugin:{name}]\nuse = tests.live.stubborn_plugins.Stubborn\n"
        f"isolate = {isolate}\nway = {way}\n"
    )


@pytest.mark.parametrize("isolate", [True, False], ids=["process", "thread"])
@pytest.mark.parametrize(
    "way",
    [
        "stop raises",
        "stop sleeps",
        "handle_stop raises",
        "handle_stop sleeps",
        "handle_stop waits",
        "handle_stop threads",
        "handler sleeps",
    ],
)
def test_the_daemon_ends_in_time_whatever_a_plugin_does(
    start: Start, way: str, isolate: bool
) -> None:
    body = WATCHER + stubborn(way, isolate) + stubborn(way, isolate, "t")
    daemon = start(body, tracebacks=2 if way.endswith("raises") else 0)
    until(lambda: daemon.text().count("stubborn_is_up") >= 2)
    begun_at = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun_at < LONGEST_END


@pytest.fixture
def pair() -> Iterator[tuple[Daemon, Daemon]]:
    """Give a daemon that is to be killed, and one that is to come after it at its endpoints."""
    first, second = Daemon(""), Daemon("")
    second.endpoint, second.events = first.endpoint, first.events
    try:
        yield first, second
    finally:
        for daemon in (second, first):
            daemon.clean_up()
            shutil.rmtree(daemon.folder)


def helpers(daemon: Daemon) -> list[int]:
    """Return the processes that run plugins and statistics."""
    own = daemon.own_pids() if daemon.process.poll() is None else []
    programs = daemon.alive().items()
    return [pid for pid, cmd in programs if "cvec_circus_cli.circus" in cmd and pid not in own]


@pytest.mark.parametrize("more", ["", "shell = true\n"], ids=["child", "under_a_shell"])
def test_helpers_of_a_killed_daemon_leave_its_successor_alone(
    pair: tuple[Daemon, Daemon], more: str
) -> None:
    first, second = pair
    udp = free_port()
    plugins = (
        f"[plugin:dog]\nuse = watchdog\nport = {udp}\nloop_rate = 0.1\nmax_count = 1\n"
        f"watchers_regex = w\n{more}"
        f"[plugin:flap]\nuse = flapping\nisolate = true\n{more}"
        f"[plugin:counts]\nuse = statsd_emitter\n{more}"
        f"[plugin:idle]\nuse = tests.live.stubborn_plugins.Idle\n{more}"
    )
    stats = f"statsd = true\nstats_endpoint = tcp://127.0.0.1:{free_port()}"
    first.circus = stats
    first.write(WATCHER + plugins)
    first.start()
    until(lambda: first.said("listening to heart-beats") and first.said("Statistics at"))
    expected = 5 if not more else 9  # under a shell there are two processes each, but statistics
    until(lambda: len(helpers(first)) >= 5)
    assert len(helpers(first)) in (5, expected)
    old = helpers(first)
    first.kill()
    until(lambda: not any(map(is_alive, old)))
    for path in (first.folder / "doors").iterdir():
        path.unlink()
    second.write(WATCHER + "[watcher:idle]\ncmd = sleep 1000\nautostart = no\n")
    second.start()
    (pid,) = second.until_active("w", 1)
    second.ok("start", name="idle", waiting=True)
    second.until_active("idle", 1)
    assert second.pids("w") == [pid]
    assert not helpers(first)
    assert second.stop() == 0


def test_a_helper_of_another_daemon_is_refused(start: Start) -> None:
    daemon = start(WATCHER)
    (pid,) = daemon.until_active("w", 1)
    caller = Caller(daemon.endpoint)
    for command in ("stop", "kill", "quit"):
        caller.send_json(
            {"id": command, "command": command, "properties": {"name": "w"}, "daemon": "no"}
        )
        reply = caller.answer(command)
        assert reply["status"] == "error"
        assert reply["another_daemon"] is True
        assert reply["reason"].startswith("this is another daemon")
    caller.send_json({"id": 1, "command": "stop", "properties": {"name": "w"}, "daemon": 7})
    assert caller.answer(1)["reason"] == "'daemon' must be a text"
    caller.close()
    assert daemon.pids("w") == [pid]


def test_one_that_is_started_by_hand_serves_the_next_daemon(
    pair: tuple[Daemon, Daemon], tmp_path: Path
) -> None:
    first, second = pair
    first.write(WATCHER)
    first.start()
    by_hand = psutil.Popen(
        [
            *(
                str(Path(sys.executable).parent / "circus-plugin"),
                "--endpoint",
                first.endpoint,
                "--pubsub",
                first.events,
            ),
            "tests.live.stubborn_plugins.Idle",
        ],
        env={**os.environ, "LIVE_TEST_MARK": first.mark},
        cwd=Path(__file__).parents[2],
    )
    until(lambda: len(by_hand.net_connections("unix")) > 0)
    first.kill()
    for path in (first.folder / "doors").iterdir():
        path.unlink()
    second.write(WATCHER)
    second.start()

    def is_heard() -> bool:
        second.ok("announce", name="w", event="go")
        return bool(second.status("w")["status"] == "stopped")

    until(is_heard)
    by_hand.terminate()
    assert by_hand.wait(10) == 0
    assert second.stop() == 0
