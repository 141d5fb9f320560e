"""Plugins across the generations: the older system's beside our daemon, ours beside the older."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.conftest import Start
from tests.live.daemon import free_port, until
from tests.live.receivers import Statsd, statsd
from tests.live.test_plugin_runner import HERE, announce_until, at
from tests.live.wire import Caller, Ear
from tests.programs import Environment

OURS_AND_LOOP = """
[circus]
endpoint = {endpoint}
pubsub_endpoint = {events}
check_delay = 0.5
[watcher:web]
cmd = {program}
numprocesses = 2
graceful_timeout = 2
[watcher:loop]
cmd = sleep 0.2
"""
PROGRAM = "#!/bin/sh\nexec sleep 1000\n"


@pytest.fixture
def server() -> Iterator[Statsd]:
    """Return a server where statsd would listen."""
    with statsd() as one:
        yield one


def test_the_older_statsd_emitter_counts_our_events(
    start: Start, older: Environment, server: Statsd, tmp_path: Path
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


def test_the_older_flapping_stops_our_watcher_and_tries_again(
    start: Start, listen: Callable[..., Ear], older: Environment, tmp_path: Path
) -> None:
    off = "[plugin:flapping]\nuse = flapping\nactive = no\n"
    body = "[watcher:loop]\ncmd = sleep 0.2\nautostart = no\n[watcher:web]\ncmd = sleep 1000\n"
    daemon = start(body + off, tcp=True)
    (web,) = daemon.until_active("web")
    ear, log = listen(daemon), tmp_path / "log"
    options = "attempts:3:::window:20:::retry_in:1:::max_retry:2"
    words = [*at(daemon), "--config", options, "circus.plugins.flapping.Flapping"]
    with older.running("circus-plugin", *words, log=log):
        until(lambda: "Starting" in log.read_text())
        daemon.ok("start", name="loop")
        # Two rounds, and the last stop.
        ear.wait_for("stop", "loop", count=3, limit=60)
        assert "flapping" in log.read_text()
        assert daemon.status("loop")["status"] == "stopped"
        assert len(ear.of("start", "loop")) == 3
        assert daemon.pids("web") == [web]


def test_the_older_resource_watcher_restarts_our_watcher(
    start: Start, older: Environment, server: Statsd, tmp_path: Path
) -> None:
    daemon = start("[watcher:web]\ncmd = sleep 1000\nnumprocesses = 2\n", tcp=True)
    before = daemon.until_active("web", 2)
    options = f"watcher:web:::min_cpu:0:::max_count:1:::loop_rate:1:::port:{server.port}"
    name = "circus.plugins.resource_watcher.ResourceWatcher"
    with older.running(
        "circus-plugin", *at(daemon), "--config", options, name, log=tmp_path / "log"
    ):
        until(lambda: server.has(r".*_resource_watcher\.web\.under_cpu:1\|c"))
        until(lambda: server.has(r".*_resource_watcher\.web\.restarting:1\|c"))
        until(lambda: not set(before) & set(daemon.until_active("web", 2)))


class Older:
    """The older daemon."""

    def __init__(self, endpoint: str, events: str) -> None:
        self.endpoint = endpoint
        self.events = events
        self.program = Path()

    def call(self, command: str, **properties: Any) -> dict[str, Any]:
        """Return the reply to a request."""
        with Caller(self.endpoint) as caller:
            return caller.call(command, **properties)

    def status(self, watcher: str) -> str:
        """Return the state word of a watcher."""
        return str(self.call("status", name=watcher)["status"])

    def until_new(self, before: list[int]) -> None:
        """Wait until the processes of web are others."""

        def is_new() -> bool:
            pids = self.call("list", name="web")["pids"]
            return len(pids) == len(before) and not set(pids) & set(before)

        until(is_new)


@pytest.fixture
def beside(older: Environment) -> Iterator[Older]:
    """Run the older daemon."""
    folder = Path(tempfile.mkdtemp(prefix="circus-older-"))
    daemon = Older(*(f"tcp://127.0.0.1:{free_port()}" for _ in range(2)))
    program = folder / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    daemon.program = program
    text = OURS_AND_LOOP.format(endpoint=daemon.endpoint, events=daemon.events, program=program)
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
    beside: Older, server: Statsd, tmp_path: Path
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


@pytest.mark.parametrize("action", ["restart", "reload", "replace"])
def test_our_resource_watcher_acts_on_the_older_daemon(
    beside: Older, server: Statsd, tmp_path: Path, action: str
) -> None:
    options = ("watcher=web", "min_mem=1T", "max_count=1", "loop_rate=0.5", f"action={action}")
    words = words_for(beside, *options, f"port={server.port}", "host=127.0.0.1")
    before = beside.call("list", name="web")["pids"]
    with HERE.running("circus-plugin", *words, "resource_watcher", log=tmp_path / "log"):
        beside.until_new(before)
        until(lambda: server.has(r".*_resource_watcher\.web\.restarting:1\|c"))


def test_our_watchdog_replaces_processes_of_the_older_daemon(beside: Older, tmp_path: Path) -> None:
    options = ("watchers_regex=web", "loop_rate=0.5", "max_count=2", f"port={free_port()}")
    before = beside.call("list", name="web")["pids"]
    words = words_for(beside, *options)
    with HERE.running("circus-plugin", *words, "watchdog", log=tmp_path / "log"):
        beside.until_new(before)


def test_our_command_reloader_reloads_a_watcher_of_the_older_daemon(
    beside: Older, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    before = beside.call("list", name="web")["pids"]
    words = words_for(beside, "loop_rate=0.2")
    with HERE.running("circus-plugin", *words, "command_reloader", log=log):
        until(lambda: "looking after" in log.read_text())
        beside.program.write_text(PROGRAM + "# changed\n")
        beside.until_new(before)
