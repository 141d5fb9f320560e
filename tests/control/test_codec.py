"""Frames become messages and replies become frames, without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cvec_circus_core.control.codec import decode, encode, id_of, request_of
from cvec_circus_core.model.errors import BadMessage, Errno, InvalidJson
from cvec_circus_core.model.messages import Failure, Reply, Success


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN", b"[" * 100_000])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        decode(body)


@pytest.mark.parametrize(
    "value",
    [
        *(3, [], None, {}, {"command": ""}, {"command": " "}, {"command": 3}),
        {"command": "list", "properties": []},
    ],
)
def test_what_is_no_request_is_refused(value: Any) -> None:
    with pytest.raises(BadMessage):
        request_of(value)


def test_a_request() -> None:
    value = decode(b'{"command": " LIST ", "properties": {"name": "a"}, "id": 7, "x": 1}')
    message = request_of(value)
    assert (message.command, message.properties, message.id) == ("list", {"name": "a"}, 7)
    assert not message.cast
    assert request_of({"command": "list", "msg_type": "cast"}).cast


@pytest.mark.parametrize(("value", "id_"), [({"id": [1]}, [1]), ({}, None), (3, None)])
def test_the_id_is_found_in_broken_requests_too(value: Any, id_: Any) -> None:
    assert id_of(value) == id_


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (Success({"watchers": ["a"]}), {"status": "ok", "watchers": ["a"]}),
        (Success({"status": "active"}), {"status": "active"}),
        (
            Failure("no", Errno.NOT_ALLOWED),
            {"status": "error", "reason": "no", "tb": None, "errno": 7},
        ),
        (
            Failure("no", 3, more={"near": "nope"}),
            {"status": "error", "reason": "no", "tb": None, "errno": 3, "near": "nope"},
        ),
    ],
)
def test_a_reply(reply: Reply, body: dict[str, Any]) -> None:
    assert json.loads(encode(reply, "id", 2.5)) == {**body, "time": 2.5, "id": "id"}


def test_what_json_can_not_tell_becomes_an_error_reply() -> None:
    for id_, kept in (("id", "id"), (7, 7), (object(), None)):
        body = json.loads(encode(Success({"value": object()}), id_, 2.5))
        assert (body["status"], body["id"]) == ("error", kept)
