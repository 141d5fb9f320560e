"""What no command is answered all the same, and hurts nobody behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import zmq

from tests.live.daemon import Daemon, until
from tests.live.wire import Caller

MEGABYTE = 1 << 20

TABLE: list[tuple[bytes, int, Any, str]] = [
    (b"{nope", 1, None, "json invalid"),
    (b"", 1, None, "json invalid"),
    (b"   ", 1, None, "json invalid"),
    (b"\xff\xfe\x00", 1, None, "json invalid"),
    (b'{"command": "list"', 1, None, "json invalid"),
    (b'{"id": 1, "command": "list"} x', 1, None, "json invalid"),
    (b"[" * 100_000, 1, None, "json invalid"),
    (b"[1, 2]", 3, None, "object"),
    (b"null", 3, None, "object"),
    (b'"list"', 3, None, "object"),
    (b"12", 3, None, "object"),
    (b'{"id": "x"}', 3, "x", "'command' is missing"),
    (b'{"id": "x", "command": null}', 3, "x", "'command' is missing"),
    (b'{"id": "x", "command": 12}', 3, "x", "'command' is missing"),
    (b'{"id": "x", "command": ""}', 3, "x", "'command' is missing"),
    (b'{"id": "x", "command": ["list"]}', 3, "x", "'command' is missing"),
    (b'{"id": "x", "command": "foo"}', 2, "x", "unknown command: 'foo'"),
    (b'{"id": "x", "command": "list", "properties": null}', 3, "x", "'properties'"),
    (b'{"id": "x", "command": "list", "properties": [1]}', 3, "x", "'properties'"),
    (b'{"id": "x", "command": "list", "properties": "y"}', 3, "x", "'properties'"),
    (b'{"id": "x", "command": "list", "properties": {"name": 3}}', 3, "x", "'name'"),
]

IDS = [
    None,
    0,
    12,
    -1.5,
    "x",
    "",
    True,
    False,
    [],
    [1, [2]],
    {"a": {"b": None}},
    10**30,
    "\u00e9\u4e16",
]


@pytest.fixture(scope="module")
def daemon(start_shared: Callable[..., Daemon]) -> Daemon:
    return start_shared("[watcher:sleeper]\ncmd = sleep 1000\n")


@pytest.mark.parametrize("kind", [zmq.DEALER, zmq.REQ], ids=["dealer", "req"])
@pytest.mark.parametrize(("body", "errno", "id_", "reason"), TABLE)
def test_it_is_refused_and_the_next_is_answered(
    daemon: Daemon, kind: int, body: bytes, errno: int, id_: Any, reason: str
) -> None:
    with Caller(daemon.endpoint, kind) as caller:
        caller.socket.send(body)
        reply = caller.receive()
        assert (reply["status"], reply["errno"], reply["id"]) == ("error", errno, id_)
        assert reason in reply["reason"]
        assert reply["tb"] is None
        assert caller.call("numwatchers")["numwatchers"] == 1


@pytest.mark.parametrize("id_", IDS)
def test_any_id_comes_back(daemon: Daemon, connect: Callable[..., Caller], id_: Any) -> None:
    caller = connect(daemon)
    for command in ("list", "nope"):
        caller.send_json({"id": id_, "command": command})
        reply = caller.receive()
        assert json.dumps(reply["id"]) == json.dumps(id_)


def test_what_is_unknown_or_misspelt_is_passed_over(
    daemon: Daemon, connect: Callable[..., Caller]
) -> None:
    caller = connect(daemon)
    for extra in ({"propeties": {"name": "x"}}, {"property": 1}, {"waiting": True}, {"x": [1]}):
        caller.send_json({"command": "status", **extra})
        assert caller.receive()["statuses"] == {"sleeper": "active"}
    caller.send_json({"command": " List ", "properties": {"unknown": 1}})
    assert caller.receive()["watchers"] == ["sleeper"]


@pytest.mark.parametrize("frames", [[b"x", b"y"], [b"", b"x", b"{}"], [b"", b"", b""], [b"a"] * 50])
def test_odd_numbers_of_frames_are_refused(
    daemon: Daemon, connect: Callable[..., Caller], frames: list[bytes]
) -> None:
    caller = connect(daemon)
    caller.socket.send_multipart(frames)
    reply = caller.receive()
    assert (reply["status"], reply["errno"]) == ("error", 3)
    assert caller.call("numwatchers")["numwatchers"] == 1


def test_ten_thousand_broken_messages_change_nothing(
    daemon: Daemon, connect: Callable[..., Caller]
) -> None:
    kinds = [[body] for body, *_ in TABLE] + [[b"x", b"y"], [b"", b"{}"], [b"", b"x", b"y"]]
    good, bad = connect(daemon), connect(daemon)
    bad.socket.sndhwm = bad.socket.rcvhwm = 0
    asked = 0

    def rounds(count: int) -> None:
        nonlocal asked
        for i in range(count):
            bad.socket.send_multipart(kinds[i % len(kinds)])
            if i % 50 == 0:
                asked += 1
                assert good.call("numwatchers")["numwatchers"] == 1
        for _ in range(count):
            assert bad.socket.poll(30_000)
            assert json.loads(bad.socket.recv_multipart()[-1])["status"] == "error"

    rounds(500)
    before = daemon.rss()
    rounds(10_000)
    grown = daemon.rss() - before
    print(f"{asked} good requests answered between; memory grew by {grown / MEGABYTE:.1f} MB")
    assert grown < 16 * MEGABYTE
    assert bad.call("numwatchers")["numwatchers"] == 1


def test_a_huge_message_loses_its_sender_alone(
    daemon: Daemon, connect: Callable[..., Caller]
) -> None:
    good = connect(daemon)
    before = daemon.rss()
    for _ in range(10):
        with Caller(daemon.endpoint) as rude:
            rude.socket.send(b'{"command": "' + b"x" * (16 * MEGABYTE) + b'"}')
            assert good.call("numwatchers")["numwatchers"] == 1
            assert rude.is_silent(0.02)
    until(lambda: daemon.rss() - before < 24 * MEGABYTE)
    assert good.call("numwatchers")["numwatchers"] == 1
