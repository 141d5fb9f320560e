"""A real Chromium before a real console before a real daemon with real workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser.visitors import CHROMIUM, Visitor
from tests.httpd.conftest import desk_of
from tests.httpd.consoles import ConsoleProcess
from tests.live.daemon import Daemon, free_port

playwright = pytest.importorskip("playwright.sync_api")

WRITER = Path(__file__).with_name("writer.py")
WATCHERS = f"""
[watcher:web]
cmd = python3 {WRITER}
numprocesses = 2
ready = spawned
settle = 0
stdout_stream.class = FileStream
stdout_stream.filename = {{folder}}/web.log

[watcher:family]
cmd = sh -c 'sleep 1000 & sleep 1001 & wait'
ready = spawned
settle = 0

[watcher:broken]
cmd = sh -c 'echo no such table >&2; exit 3'
max_retry = 1
on_failure = stop

[watcher:off]
cmd = sleep 1000
autostart = False
ready = spawned

[socket:front]
host = 127.0.0.1
port = 0

[watcher:server]
cmd = sleep 1000
use_sockets = True
ready = spawned
"""

Sign = Callable[..., Visitor]


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    """The browser, once for a module.

    While it is there, this thread counts as one that runs a loop, which tests of others must not.
    """
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def daemon_of(watchers: str = WATCHERS, statistics: bool = True) -> Daemon:
    """Return a daemon for the console, not started."""
    daemon = Daemon("", circus="")
    if statistics:
        daemon.circus = f"stats_endpoint = tcp://127.0.0.1:{free_port()}\nstats_interval = 0.5\n"
    daemon.write(watchers.format(folder=daemon.folder))
    return daemon


@pytest.fixture(scope="module")
def desk() -> Iterator[tuple[Daemon, ConsoleProcess]]:
    """A daemon and its console, for all tests of a module."""
    with desk_of(daemon_of()) as both:
        yield both


@pytest.fixture
def sign(chromium: object) -> Iterator[Sign]:
    """Let somebody sign in with a browser of their own; no page may have complained at the end."""
    visitors: list[Visitor] = []

    def begin(console: ConsoleProcess, role: str = "operator", **options: object) -> Visitor:
        visitor = Visitor(chromium, console, role, **options)
        visitors.append(visitor)
        return visitor

    yield begin
    for visitor in visitors:
        visitor.close()
    assert not [complaint for visitor in visitors for complaint in visitor.complaints]


@pytest.fixture
def ann(desk: tuple[Daemon, ConsoleProcess], sign: Sign) -> Visitor:
    """An operator, at the list of watchers."""
    return sign(desk[1])
