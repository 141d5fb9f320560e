"""HttpObserver live: before a server that answers, fails, hangs, or is not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.receivers import Statsd, Web, statsd, web

WATCHERS = "[watcher:site]\ncmd = sleep 1000\n[watcher:other]\ncmd = sleep 1001\n"
STATS = r"circus\.app\.watcher\.http_stats"


@pytest.fixture
def server() -> Iterator[Web]:
    with web() as one:
        yield one


@pytest.fixture
def heard() -> Iterator[Statsd]:
    with statsd() as one:
        yield one


def section(url: str, heard: Statsd, *more: str, use: str = "http_observer") -> str:
    """Return the section of the plugin."""
    lines = [f"use = {use}", f"check_url = {url}", "loop_rate = 0.1"]
    stats = ["host = 127.0.0.1", f"port = {heard.port}"]
    return WATCHERS + "[plugin:probe]\n" + "\n".join([*lines, *stats, *more]) + "\n"


def until_replaced(daemon: Daemon, watcher: str, before: list[int]) -> None:
    """Wait until a watcher has other processes."""
    until(lambda: daemon.pids(watcher) != before)


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize("use", ["http_observer", "circus.plugins.http_observer.HttpObserver"])
def test_an_answer_is_timed_and_nobody_is_restarted(
    start: Start, server: Web, heard: Statsd, use: str, isolate: bool
) -> None:
    more = ("restart_on_error = site", f"isolate = {isolate}")
    daemon = start(section(server.url + "health?deep=1", heard, *more, use=use))
    before = daemon.until_active("site")
    until(lambda: heard.count(rf"{STATS}\.request_time:\d+(\.\d+)?\|ms") >= 3)
    assert {(one.method, one.path) for one in server.asked} == {("GET", "/health?deep=1")}
    assert not heard.has(r".*\.error.*")
    assert daemon.pids("site") == before


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        pytest.param(503, 503, id="fails"),
        pytest.param(404, 404, id="has no such page"),
        pytest.param(302, 302, id="redirects for ever"),
        pytest.param(None, 599, id="is not there"),
    ],
)
def test_an_error_is_counted_and_restarts_the_watcher(
    start: Start, server: Web, heard: Statsd, status: int | None, counted: int
) -> None:
    if status is None:
        server.close()
    else:
        server.status = status
    daemon = start(section(server.url, heard, "restart_on_error = site"))
    before, others = daemon.until_active("site"), daemon.until_active("other")
    until_replaced(daemon, "site", before)
    assert daemon.pids("other") == others
    for name in ("error", rf"error\.{counted}", "restart_on_error"):
        until(lambda name=name: heard.has(rf"{STATS}\.{name}:1\|c"))  # type: ignore[misc]
    assert not heard.has(r".*restart_on_timeout.*")


def test_no_answer_in_time_restarts_and_never_blocks_the_plugin(
    start: Start, server: Web, heard: Statsd
) -> None:
    server.is_silent = True
    more = ("timeout = 0.3", "restart_on_timeout = SITE", "failures = 2")
    daemon = start(section(server.url, heard, *more))
    until_replaced(daemon, "site", daemon.until_active("site"))
    until(lambda: heard.has(rf"{STATS}\.restart_on_timeout:1\|c"))
    assert heard.count(rf"{STATS}\.error\.599:1\|c") >= 2
    assert daemon.said("does not answer within 0.3 s (1 in a row)")
    # The request still hangs, and the plugin ends at once all the same.
    assert daemon.stop(limit=10) == 0


def test_it_is_looked_at_as_long_as_it_fails_and_all_is_well_again(
    start: Start, server: Web, heard: Statsd
) -> None:
    server.status = 500
    daemon = start(section(server.url, heard, "restart_on_error = nobody"))
    until(lambda: daemon.said("nobody is not restarted: program nobody not found"))
    until(lambda: heard.count(rf"{STATS}\.error\.500:1\|c") >= 3)
    server.status = 200
    until(lambda: daemon.said("http_observer: all is well again"))


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("check_url = ftp://example.org/", "check_url isn't an address that begins with http://"),
        ("check_url = http://h:port/", "check_url isn't an address: port could not be cast"),
        ("timeout = soon", "timeout isn't a number: 'soon'"),
        ("loop_rate = 0", "loop_rate isn't a number at least 0.01: '0'"),
    ],
)
def test_a_bad_option_is_told_in_a_sentence(
    start: Start, heard: Statsd, option: str, told: str
) -> None:
    body = section("http://127.0.0.1:9/", heard, "flapping.active = false")
    key = option.partition(" ")[0]
    lines = [splitline for splitline in body.splitlines() if not splitline.startswith(key)]
    daemon = start("\n".join([*lines, option]) + "\n")
    until(lambda: daemon.said(told))
    # It begins when the plugin, whose priority is higher, has shown that it can not be ready.
    until(lambda: daemon.status("site")["status"] == "active")
