"""RedisObserver live, before a real redis-server of its own."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Start
from tests.live.daemon import free_port, until
from tests.live.receivers import Statsd, statsd
from tests.programs import need

PASSWORD = "a-password-nobody-else-has"
STATS = r"circus\.app\.watcher\.redis_stats"
WATCHERS = "[watcher:cache]\ncmd = sleep 1000\n"


class Redis:
    """One redis-server, with a password, at a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        words = [
            need("redis-server"),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]
        words += ["--dir", str(folder), "--requirepass", PASSWORD]
        with (folder / "redis.log").open("wb") as out:
            self.process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT)
        log = folder / "redis.log"
        until(lambda: "eady to accept connections" in log.read_text(errors="replace"))

    def close(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    one = Redis(tmp_path)
    yield one
    one.close()


@pytest.fixture
def heard() -> Iterator[Statsd]:
    with statsd() as one:
        yield one


def section(url: str, heard: Statsd, *more: str, use: str = "redis_observer") -> str:
    """Return the section of the plugin."""
    lines = [f"use = {use}", f"redis_url = {url}", "loop_rate = 0.1"]
    stats = ["host = 127.0.0.1", f"port = {heard.port}"]
    return WATCHERS + "[plugin:probe]\n" + "\n".join([*lines, *stats, *more]) + "\n"


@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize("use", ["redis_observer", "circus.plugins.redis_observer.RedisObserver"])
def test_what_the_server_tells_of_itself_becomes_gauges(
    start: Start, redis: Redis, heard: Statsd, use: str, isolate: bool
) -> None:
    more = ("restart_on_error = cache", f"isolate = {isolate}")
    daemon = start(section(redis.url, heard, *more, use=use))
    before = daemon.until_active("cache")
    until(lambda: heard.has(rf"{STATS}\.used_memory:\d{{6,}}\|g"))
    until(lambda: heard.has(rf"{STATS}\.connected_clients:1\|g"))
    for name in ("keyspace_hits", "keyspace_misses", "total_commands_processed", "evicted_keys"):
        until(lambda name=name: heard.has(rf"{STATS}\.{name}:\d+\|g"))  # type: ignore[misc]
    assert not heard.has(r".*error.*")
    assert daemon.pids("cache") == before
    assert PASSWORD not in daemon.text()


def test_a_server_that_hangs_is_a_timeout_until_it_goes_on(
    start: Start, redis: Redis, heard: Statsd
) -> None:
    more = ("timeout = 0.3", "restart_on_timeout = cache", "failures = 3")
    daemon = start(section(redis.url, heard, *more))
    before = daemon.until_active("cache")
    until(lambda: heard.has(rf"{STATS}\.used_memory:\d+\|g"))
    redis.process.send_signal(signal.SIGSTOP)
    until(lambda: daemon.pids("cache") != before)
    until(lambda: heard.has(rf"{STATS}\.restart_on_timeout:1\|c"))
    assert daemon.said(f"redis at 127.0.0.1:{redis.port} does not answer within 0.3 s (3 in a row)")
    redis.process.send_signal(signal.SIGCONT)
    until(lambda: daemon.said("redis_observer: all is well again"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [("password", "does not answer: invalid username-password pair"), ("port", "does not answer:")],
)
def test_one_that_does_not_tell_is_an_error(
    start: Start, redis: Redis, heard: Statsd, wrong: str, told: str
) -> None:
    url = redis.url.replace(PASSWORD, "wrong-word")
    if wrong == "port":
        redis.close()
    daemon = start(section(url, heard, "restart_on_error = cache", "restart_on_timeout = cache"))
    before = daemon.until_active("cache")
    until(lambda: daemon.pids("cache") != before)
    for name in ("error", "restart_on_error"):
        until(lambda name=name: heard.has(rf"{STATS}\.{name}:1\|c"))  # type: ignore[misc]
    assert not heard.has(r".*restart_on_timeout.*")
    assert daemon.said(told)
    assert "wrong-word" not in daemon.text()


@pytest.mark.parametrize("url", ["http://x:secret@y/", "redis://x:secret@y:port/"])
def test_a_bad_address_is_told_without_its_password(start: Start, heard: Statsd, url: str) -> None:
    daemon = start(section(url, heard, "flapping.active = false"))
    until(lambda: daemon.said("redis_url isn't an address such as redis://localhost:6379/0"))
    assert "secret" not in daemon.text()
