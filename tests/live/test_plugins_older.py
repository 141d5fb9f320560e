"""Plugins across the generations: the older system's beside our daemon, ours beside the older."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Start
from tests.live.daemon import free_port, until
from tests.live.test_plugin_runner import HERE, announce_until, at
from tests.live.test_statsd import Server
from tests.live.wire import Caller
from tests.programs import Environment

OURS_AND_LOOP = """
[circus]
endpoint = {endpoint}
pubsub_endpoint = {events}
check_delay = 0.5
[watcher:web]
cmd = sleep 1000
[watcher:loop]
cmd = sleep 0.2
"""


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server where statsd would listen."""
    one = Server()
    yield one
    one.socket.close()


def test_the_older_statsd_emitter_counts_our_events(
    start: Start, older: Environment, server: Server, tmp_path: Path
) -> None:
    daemon = start("[watcher:web]\ncmd = sleep 1000\n", tcp=True)
    words = [*at(daemon), "--config", f"port:{server.port}:::application_name:shop"]
    name = "circus.plugins.statsd.StatsdEmitter"
    with older.running("circus-plugin", *words, name, log=tmp_path / "log") as process:
        announce_until(daemon, lambda: server.has(r"circus\.shop\.watcher\.web\.hello:1\|c"))
        daemon.ok("restart", name="web", waiting=True)
        for event in ("kill", "reap", "stop", "spawn", "start"):
            pattern = rf"circus\.shop\.watcher\.web\.{event}:1\|c"
            until(lambda pattern=pattern: server.has(pattern))  # type: ignore[misc]
        assert process.poll() is None, (tmp_path / "log").read_text()


def test_the_older_command_reloader_restarts_our_watcher(
    start: Start, older: Environment, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    daemon = start(f"[watcher:web]\ncmd = {program}\n", tcp=True)
    (before,) = daemon.until_active("web")
    name = "circus.plugins.command_reloader.CommandReloader"
    log = tmp_path / "log"
    with older.running("circus-plugin", *at(daemon), name, log=log):
        until(lambda: "Starting" in log.read_text())

        def is_new() -> bool:
            program.touch()
            pids = daemon.pids("web")
            return len(pids) == 1 and pids != [before]

        until(is_new)


class Older:
    """The older daemon."""

    def __init__(self, endpoint: str, events: str) -> None:
        self.endpoint = endpoint
        self.events = events

    def status(self, watcher: str) -> str:
        """Return the state word of a watcher."""
        with Caller(self.endpoint) as caller:
            return str(caller.call("status", name=watcher)["status"])


@pytest.fixture
def beside(older: Environment) -> Iterator[Older]:
    """Run the older daemon."""
    folder = Path(tempfile.mkdtemp(prefix="circus-older-"))
    daemon = Older(*(f"tcp://127.0.0.1:{free_port()}" for _ in range(2)))
    text = OURS_AND_LOOP.format(endpoint=daemon.endpoint, events=daemon.events)
    (folder / "circus.ini").write_text(text, encoding="utf-8")
    with older.running("circusd", str(folder / "circus.ini"), log=folder / "log"):
        until(lambda: daemon.status("web") == "active")
        yield daemon
    shutil.rmtree(folder, ignore_errors=True)


def words_for(beside: Older, *options: str) -> list[str]:
    """Return the words that aim our runner at the older daemon."""
    given = [word for option in options for word in ("-o", option)]
    return ["--endpoint", beside.endpoint, "--pubsub", beside.events, *given]


def test_our_emitters_tell_of_the_older_daemon(
    beside: Older, server: Server, tmp_path: Path
) -> None:
    words = words_for(beside, f"port={server.port}", "host=127.0.0.1")
    gauges = [*words, "-o", "loop_rate=0.5", "full_stats"]
    with (
        HERE.running("circus-plugin", *words, "statsd_emitter", log=tmp_path / "one"),
        HERE.running("circus-plugin", *gauges, log=tmp_path / "two"),
    ):
        for pattern in (r"loop\.reap:1\|c", r"loop\.spawn:1\|c", r"_stats\.web\.mem_sum:\d{6,}\|g"):
            until(lambda one=pattern: server.has(rf"circus\.app\.watcher\.{one}"))  # type: ignore[misc]


def test_our_flapping_stops_a_watcher_of_the_older_daemon(beside: Older, tmp_path: Path) -> None:
    words = words_for(beside, "attempts=3", "window=10", "retry_in=0.5", "max_retry=1")
    log = tmp_path / "log"
    with HERE.running("circus-plugin", *words, "flapping", log=log):
        until(lambda: "given up after 1 try" in log.read_text())
        until(lambda: beside.status("loop") == "stopped")
        assert beside.status("web") == "active"
