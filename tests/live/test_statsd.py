"""StatsdEmitter and FullStats live, before a server that takes their datagrams."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.receivers import Statsd, statsd

WATCHERS = "[watcher:Some Web.app]\ncmd = sleep 1000\nnumprocesses = 2\n"


@pytest.fixture
def server() -> Iterator[Statsd]:
    """Return a server for one test."""
    with statsd() as one:
        yield one


def section(use: str, server: Statsd, isolate: bool, *more: str) -> str:
    """Return the section of the plugin."""
    lines = [f"use = {use}", f"port = {server.port}", "host = 127.0.0.1", f"isolate = {isolate}"]
    return "[plugin:stats]\n" + "\n".join([*lines, *more]) + "\n"


def announce_until(daemon: Daemon, server: Statsd, event: str, pattern: str) -> None:
    """Let an event happen until the server has heard of it."""

    def heard() -> bool:
        daemon.ok("announce", name="Some Web.app", event=event)
        return server.has(pattern)

    until(heard)


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize(
    "use",
    [
        "statsd_emitter",
        "circus.plugins.statsd.StatsdEmitter",
        "circus.plugins._statsd.StatsdEmitter",
        "cvec_circus_plugins.statsd.StatsdEmitter",
    ],
)
def test_every_event_is_counted(start: Start, server: Statsd, use: str, isolate: bool) -> None:
    daemon = start(WATCHERS + section(use, server, isolate, "application_name = my.shop"))
    prefix = r"circus\.my\.shop\.watcher\.some_web_app"
    announce_until(daemon, server, "hello", rf"{prefix}\.hello:1\|c")
    daemon.ok("incr", name="Some Web.app", waiting=True)
    until(lambda: server.has(rf"{prefix}\.spawn:1\|c"))
    daemon.ok("stop", name="Some Web.app", waiting=True)
    for event in ("kill", "reap", "stop"):
        until(lambda event=event: server.has(rf"{prefix}\.{event}:1\|c"))  # type: ignore[misc]
    assert sum(re.fullmatch(rf"{prefix}\.reap:1\|c", one) is not None for one in server.heard) == 3


def test_a_sample_is_sent_where_that_is_wanted(start: Start, server: Statsd) -> None:
    daemon = start(WATCHERS + section("statsd_emitter", server, False, "sample_rate = 0.5"))
    announce_until(daemon, server, "hi", r"circus\.app\.watcher\.some_web_app\.hi:1\|c\|@0\.5")


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize("use", ["full_stats", "circus.plugins.statsd.FullStats"])
def test_what_processes_use_is_told(start: Start, server: Statsd, use: str, isolate: bool) -> None:
    daemon = start(WATCHERS + section(use, server, isolate, "loop_rate = 0.1"))
    daemon.until_active("Some Web.app", 2)
    prefix = r"circus\.app\.watcher\._stats\.some_web_app"
    until(lambda: server.has(rf"{prefix}\.watchers_num:2\|g"))
    for gauge in ("cpu_max", "cpu_sum", "mem_pct_max", "mem_pct_sum"):
        until(lambda gauge=gauge: server.has(rf"{prefix}\.{gauge}:\d+(\.\d+)?\|g"))  # type: ignore[misc]
    until(lambda: server.has(rf"{prefix}\.mem_sum:\d{{6,}}\|g"))
    until(lambda: server.has(rf"{prefix}\.mem_max:\d{{6,}}\|g"))
    assert not any("plugin" in one for one in server.heard)
    daemon.ok("decr", name="Some Web.app", waiting=True)
    until(lambda: server.has(rf"{prefix}\.watchers_num:1\|g"))
