"""The log of events: what it begins with, what it says of gaps, and how much it keeps."""

from __future__ import annotations

from typing import Any

from cvec_circus_plugins.httpd.event_log import EVENTS_KEPT, EventLog
from tests.httpd.conftest import SLEEPERS, Serve
from tests.live.daemon import until

WELL = {
    "state": "active",
    "shown": "active",
    "running": 1,
    "wanted": 1,
    "restarts": 0,
    "last_exit": None,
}
BROKEN = {
    "state": "stopped",
    "shown": "failed",
    "running": 0,
    "wanted": 1,
    "restarts": 4,
    "last_exit": 3,
}
BAD = "[watcher:bad]\ncmd = sh -c 'exit 3'\nmax_retry = 0\non_failure = stop\n"


def test_it_begins_with_those_that_are_not_simply_well() -> None:
    log = EventLog("key")
    states = {"a": {**WELL, "reason": None}, "b": {**BROKEN, "reason": "a process exited with 3"}}
    begun, found = log.found(states)
    assert (begun["topic"], begun["body"]["watchers"], begun["body"]["processes"]) == (
        *("console.listening", 2),
        1,
    )
    assert (found["topic"], found["body"]["watcher"], found["body"]["last_exit"]) == (
        *("console.found", "b"),
        3,
    )
    assert found["body"]["state"] == "failed"
    assert list(log.events) == [begun, found]


def test_events_and_audit_are_kept_apart_up_to_a_bound() -> None:
    log = EventLog("key")
    log.add("audit.stop", {"who": "ann"})
    for number in range(2 * EVENTS_KEPT):
        log.add("watcher.web.spawn", {"number": number})
    assert len(log.events) == EVENTS_KEPT
    assert log.events[-1]["body"] == {"number": 2 * EVENTS_KEPT - 1}
    assert [event["body"] for event in log.audits] == [{"who": "ann"}]
    for number in range(2 * EVENTS_KEPT):
        log.add("audit.stop", {"number": number})
    assert len(log.audits) == EVENTS_KEPT


def test_the_page_tells_what_was_before_and_when_nothing_was_heard(
    start: Any, serve: Serve
) -> None:
    daemon = start(SLEEPERS + BAD)
    until(lambda: daemon.status("bad")["last_exit"] == 3)
    console = serve(daemon.endpoint)
    browser = console.signed_in("viewer", "vic").browser
    until(lambda: ">found<" in browser.get("/events").text)
    text = browser.get("/events").text
    assert ">listening<" in text
    assert "last_exit 3" in text
    assert text.count(">found<") == 1, "those that are well are not told of"
    daemon.stop()
    until(lambda: ">lost<" in browser.get("/events").text)
    daemon.start()
    until(lambda: browser.get("/events").text.count(">listening<") == 2)
