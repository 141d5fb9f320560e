"""Numbers of other packages: gathered side by side, and none of them hurts the others."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cvec_circus_core.api import StatsSubject, hookimpl
from cvec_circus_core.extend.extra_stats import ExtraStats
from cvec_circus_core.extend.hooks import Hooks

WEB, DB = StatsSubject("web", 1, 101), StatsSubject("db", 1, 201)


class Numbers:
    """A package that knows something, as a function says."""

    def __init__(self, tell: Callable[[Sequence[StatsSubject]], Any]) -> None:
        self.tell = tell
        self.asked = 0

    @hookimpl
    def circus_extra_stats(self, processes: Sequence[StatsSubject]) -> Any:
        self.asked += 1
        return self.tell(processes)


def raising(processes: Sequence[StatsSubject]) -> Any:
    raise RuntimeError("no numbers today")


def leaving(processes: Sequence[StatsSubject]) -> Any:
    raise SystemExit(3)


def queues(processes: Sequence[StatsSubject]) -> Any:
    return {process.pid: {"queue": process.wid, "of": process.watcher} for process in processes}


def gathered(*plugins: Numbers, times: int = 1, patience: float = 20.0) -> Any:
    hooks = Hooks()
    for number, one in enumerate(plugins):
        hooks.add(f"package{number}", one)
    extras = ExtraStats(hooks, patience)

    async def ask() -> Any:
        for _ in range(times):
            found = await extras.of([WEB, DB])
        return found

    return asyncio.run(ask())


def test_all_that_is_known_comes_together() -> None:
    more = Numbers(lambda processes: {201: {"connections": 7, "rate": 0.5, "up": True, "x": None}})
    assert gathered(Numbers(queues), more) == {
        101: {"queue": 1, "of": "web"},
        201: {"queue": 1, "of": "db", "connections": 7, "rate": 0.5, "up": True, "x": None},
    }


def test_nobody_is_asked_about_nothing() -> None:
    package = Numbers(queues)
    hooks = Hooks()
    hooks.add("package", package)
    assert asyncio.run(ExtraStats(hooks).of([])) == {}
    assert asyncio.run(ExtraStats(Hooks()).of([WEB])) == {}
    assert package.asked == 0


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (raising, "package0 failed with RuntimeError in circus_extra_stats (no numbers today)"),
        (leaving, "package0 failed with SystemExit"),
        (lambda _: [1], "package0 gave no mapping"),
        (lambda _: {7: {"a": 1}}, "package0 gave something strange"),
        (lambda _: {101: 5}, "package0 gave something strange"),
        (lambda _: {101: {"a": object()}}, "package0 gave what can not be sent"),
        (lambda _: {101: {"a": float("nan")}}, "package0 gave what can not be sent"),
        (lambda _: {101: {3: 3}}, "package0 gave what can not be sent"),
    ],
)
def test_a_bad_one_is_told_once_and_hurts_nobody(
    bad: Callable[..., Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = gathered(Numbers(bad), Numbers(queues), times=5)
    assert found[201] == {"queue": 1, "of": "db"}
    assert found[101] == {"queue": 1, "of": "web"}
    (message,) = (record.getMessage() for record in caplog.records)
    assert told in message


def test_of_two_the_first_wins_and_the_second_is_told(caplog: pytest.LogCaptureFixture) -> None:
    found = gathered(Numbers(queues), Numbers(lambda _: {101: {"queue": 900}}), times=3)
    assert found[101]["queue"] in (1, 900)
    assert [
        record.getMessage() for record in caplog.records if "gave queue" in record.getMessage()
    ] != []
    assert len(caplog.records) == 1


def test_one_that_hangs_is_left_alone_until_it_returns(caplog: pytest.LogCaptureFixture) -> None:
    release = threading.Event()
    hanging = Numbers(lambda _: release.wait(30) and None)
    try:
        found = gathered(hanging, Numbers(queues), times=3, patience=0.2)
    finally:
        release.set()
    assert found[101] == {"queue": 1, "of": "web"}
    assert hanging.asked == 1
    assert [record.getMessage().count("hangs") for record in caplog.records] == [1]


def test_one_that_gets_no_thread_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start, tries = threading.Thread.start, []

    def fail_once(thread: threading.Thread) -> None:
        tries.append(thread)
        if len(tries) == 1:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", fail_once)
    assert gathered(Numbers(queues), times=2)[101] == {"queue": 1, "of": "web"}
    assert "can't start new thread" in caplog.text
