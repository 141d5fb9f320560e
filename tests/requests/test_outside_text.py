"""What callers write can not forge lines of the log, nor fill it, nor stand raw in a topic."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from cvec_circus_core.config.mappings import socket_from_mapping, watcher_from_mapping
from cvec_circus_core.control.codec import request_of
from cvec_circus_core.daemon.logs import log_event
from cvec_circus_core.model.access import Caller, LocalUser, Rights
from cvec_circus_core.model.errors import BadMessage
from cvec_circus_core.model.events import Told, WatcherStopped
from cvec_circus_core.model.messages import Failure, RequestMessage
from cvec_circus_core.model.text import LINES, LONGEST_SHOWN, PERIOD, LineQuota, Share
from cvec_circus_core.requests.service import RequestService

BOB = Caller(LocalUser(1001, 4711), "user 'bob'", Rights(words=frozenset({"bob"})))
ADMIN = Caller(LocalUser(0), "user 'root'", Rights(everything=True, reading=True))
FORGED = "stop\n2026-11-29 03:00:00 circus[1] [CRITICAL] all is lost\x1b[2J\u2028\x85"


def cast(daemon: Any, caller: Caller, *messages: RequestMessage) -> None:
    """Send requests that want no reply."""

    async def run() -> None:
        service = RequestService(daemon.dispatcher(), daemon.clock, asyncio.get_running_loop())
        for message in messages:
            service.begin(message, caller, b"1", lambda reply: None)
            await service.wait_answered(5.0)

    asyncio.run(run())


def request(command: str, **properties: Any) -> RequestMessage:
    """Return a cast as it comes off the wire."""
    return request_of({"command": command, "properties": properties, "msg_type": "cast"})


@pytest.mark.parametrize("caller", [BOB, ADMIN])
@pytest.mark.parametrize(
    "message",
    [
        request(FORGED),
        request("stop", name=FORGED),
        request("set", name="web", options={FORGED: 1}),
        request("signal", name="web", signum=FORGED),
        request("start", name=FORGED, match=FORGED),
    ],
)
def test_a_refused_cast_is_one_printable_line(
    daemon: Any, caplog: pytest.LogCaptureFixture, caller: Caller, message: RequestMessage
) -> None:
    with caplog.at_level(logging.DEBUG):
        cast(daemon, caller, message)
    assert caplog.messages
    for line in caplog.messages:
        assert line.isprintable()
        assert len(line) < 4 * LONGEST_SHOWN


@pytest.mark.parametrize("caller", [BOB, ADMIN])
@pytest.mark.parametrize("command", ["x\n" * 30_000, "nonsense", "stop"])
def test_refused_casts_do_not_fill_the_log(
    daemon: Any, caplog: pytest.LogCaptureFixture, caller: Caller, command: str
) -> None:
    with caplog.at_level(logging.WARNING):
        cast(daemon, caller, *[request(command, name="nope")] * 150)
        assert 0 < len(caplog.messages) <= LINES
        assert sum(map(len, caplog.messages)) < 4 * LONGEST_SHOWN * LINES
        caplog.clear()
        daemon.clock.advance(PERIOD)
        cast(daemon, caller, request(command, name="nope"))
        assert caplog.messages, "a minute later it is told again"


def test_one_caller_does_not_use_up_the_lines_of_another(
    daemon: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        cast(daemon, BOB, *[request("nonsense")] * (LINES + 5))
        caplog.clear()
        cast(daemon, ADMIN, request("nonsense"))
    assert len(caplog.messages) == 1


def test_an_audit_event_and_its_topic_are_printable(daemon: Any) -> None:
    cast(daemon, BOB, request("stop", name=FORGED), request("quit", name=FORGED * 100))
    assert len(daemon.events) == 2
    for event in daemon.events:
        notice = Told(event, 1, 2.5)
        assert notice.topic.isprintable()
        assert len(notice.topic) < 2 * LONGEST_SHOWN
        for value in (*event.facts()["properties"].values(), event.facts()["reason"]):
            assert str(value).isprintable()
            assert len(str(value)) <= LONGEST_SHOWN


def test_a_reason_to_stop_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_event(Told(WatcherStopped("web", FORGED, gave_up=True), 1, 2.5))
    [line] = caplog.messages
    assert line.isprintable()


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "\u2028a", "a\x00", ""])
def test_names_that_can_not_be_shown_are_refused(name: str) -> None:
    with pytest.raises(BadMessage, match="'name'"):
        watcher_from_mapping(f"x{name}x" if name else name, {"cmd": "x"})
    with pytest.raises(BadMessage, match="'name'"):
        socket_from_mapping(f"x{name}x" if name else name, {"port": 0})


def test_a_quota_counts_by_source_and_minute() -> None:
    quota = LineQuota(lines=2)
    shares = [quota.take("a", 1.0) for _ in range(5)]
    assert shares == [Share.SHOWN, Share.SHOWN, Share.LAST, Share.DROPPED, Share.DROPPED]
    assert quota.take("b", 2.0) is Share.SHOWN
    assert quota.take("a", 1.0 + PERIOD) is Share.SHOWN


def test_a_quota_does_not_grow_with_the_number_of_sources() -> None:
    quota = LineQuota()
    shares = [quota.take(str(number), 1.0) for number in range(20_000)]
    assert shares.count(Share.SHOWN) == 10_000
    assert shares[-1] is Share.DROPPED


def answer(daemon: Any, caller: Caller, command: str, **properties: Any) -> Any:
    """Return the reply to a request."""
    message = RequestMessage(command, properties)
    return asyncio.run(daemon.dispatcher().answer(message, caller))


@pytest.mark.parametrize("more", [99, 10**9])
def test_who_may_use_one_watcher_may_not_make_it_as_large_as_they_like(
    daemon: Any, more: int
) -> None:
    refused = answer(daemon, BOB, "incr", name="web", nb=more)
    assert isinstance(refused, Failure)
    assert "max_numprocesses in [watcher:web], now 100, lets them" in refused.reason
    assert daemon.supervisor.watcher("web").spec.numprocesses == 2
    assert daemon.audited() == [("user 'bob'", "incr", "refused")]


def test_up_to_the_bound_it_grows_and_the_operator_is_not_bound(daemon: Any) -> None:
    assert answer(daemon, BOB, "incr", name="web", nb=98).result == {"numprocesses": 100}
    assert isinstance(answer(daemon, BOB, "incr", name="web"), Failure)
    assert answer(daemon, ADMIN, "incr", name="web", nb=50).result == {"numprocesses": 150}
    assert answer(daemon, BOB, "decr", name="web", nb=5).result == {"numprocesses": 145}
    answer(daemon, ADMIN, "set", name="web", options={"max_numprocesses": 146})
    assert answer(daemon, BOB, "incr", name="web").result == {"numprocesses": 146}
    assert isinstance(answer(daemon, BOB, "incr", name="web"), Failure)
