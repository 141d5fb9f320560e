"""The bus: numbers, times, and listeners that hurt nobody."""

from __future__ import annotations

import pytest

from cvec_circus_core.model.events import CommandAudited, Told, WatcherStarted, WatcherStopped
from cvec_circus_core.runtime.bus import Bus
from cvec_circus_core.system.fakes import FakeClock

STARTED, STOPPED = WatcherStarted("web"), WatcherStopped("web")


@pytest.fixture
def bus() -> Bus:
    return Bus(FakeClock())


def test_events_are_numbered_within_their_family(bus: Bus) -> None:
    notices: list[Told] = []
    bus.listen("all", notices.append)
    for event in (STARTED, CommandAudited("web", "stop", {}), STOPPED):
        bus.tell(event)
    assert [(notice.event.family, notice.number) for notice in notices] == [
        ("watcher", 1),
        ("audit", 1),
        ("watcher", 2),
    ]
    assert bus.count == 2


def test_a_listener_that_fails_is_named_and_the_others_hear(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    def fail(notice: Told) -> None:
        raise ValueError("no")

    bus.listen("bad", fail)
    bus.listen("good", lambda notice: heard.append(notice.topic))
    bus.tell(STARTED)
    assert heard == ["watcher.web.start"]
    assert "listener bad failed on watcher.web.start; the others were told" in caplog.text


def test_one_that_leaves_in_the_middle_hears_no_later_event(bus: Bus) -> None:
    heard: list[int] = []

    def leave(notice: Told) -> None:
        heard.append(notice.number)
        bus.leave("once")

    bus.listen("once", leave)
    bus.tell(STARTED)
    bus.tell(STOPPED)
    assert heard == [1]
