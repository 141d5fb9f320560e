"""Frames become messages, and replies become frames (spec: protocol, request and reply)."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec.json

from cvec_circus_core.model.access import Person, Role
from cvec_circus_core.model.errors import BadMessage, Errno, InvalidJson
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success

_LONGEST_NAME = 128
"""Characters in the name of a person."""


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


_encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False)
_quick = msgspec.json.Encoder()
_decoder = json.JSONDecoder(parse_constant=_no_number)


def decode(body: bytes) -> object:
    """Return the JSON value of a frame. Raises `InvalidJson`."""
    try:
        return _decoder.decode(body.decode())
    except (ValueError, RecursionError):
        raise InvalidJson from None


def request_of(value: object) -> RequestMessage:
    """Return the request that a JSON value is. Raises `BadMessage`."""
    if not isinstance(value, dict):
        raise BadMessage("a request must be a JSON object")
    command = value.get("command")
    if not isinstance(command, str) or not command.strip():
        raise BadMessage("message invalid 'command' is missing")
    properties = value.get("properties", {})
    if not isinstance(properties, dict):
        raise BadMessage("'properties' must be an object")
    cast = value.get("msg_type") == "cast"
    daemon = value.get("daemon")
    if daemon is not None and not isinstance(daemon, str):
        raise BadMessage("'daemon' must be a text")
    plugin = value.get("plugin")
    if plugin is not None and not isinstance(plugin, str):
        raise BadMessage("'plugin' must be a text")
    person = None if value.get("person") is None else _person(value["person"])
    return RequestMessage(
        command.strip().lower(), properties, value.get("id"), cast, daemon, plugin, person
    )


def _person(value: object) -> Person:
    match value:
        case {"name": str(name), "role": str(word)} if 0 < len(name) <= _LONGEST_NAME:
            roles = {role.value: role for role in Role}
            if word in roles:
                return Person(name, roles[word])
    raise BadMessage("'person' must have a name and a role: operator, viewer or guest")


def id_of(value: object) -> object:
    """Return the id of a JSON value, even where it is no good request."""
    return value.get("id") if isinstance(value, dict) else None


def encode(reply: Reply, id_: object, time: float) -> bytes:
    """Return the frame of a reply. ``time`` is Unix time in seconds."""
    match reply:
        case Success(result):
            body = {"status": "ok", "time": time, **result, "id": id_}
        case Failure():
            body = _failure(reply, id_, time)
    try:
        # Statistics of a thousand processes hold the loop for ten milliseconds in the other one.
        return _quick.encode(body)
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # what is strange in it is told by the stricter one
    try:
        return _encoder.encode(body).encode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        failure = Failure(f"the reply can not be sent as JSON: {error}", Errno.SERVER_ERROR)
        plain_id = id_ if isinstance(id_, str | int | None) else None
        return _encoder.encode(_failure(failure, plain_id, time)).encode()


def encode_event(body: object) -> bytes:
    """Return the second frame of an event, or any JSON value."""
    try:
        return _quick.encode(body)
    except (TypeError, ValueError):
        # A text may hold half a surrogate, as names of files do; only JSON's escapes can tell it.
        return _encoder.encode(body).encode()


def _failure(failure: Failure, id_: object, time: float) -> dict[str, Any]:
    return {
        **failure.more,
        "status": "error",
        "reason": failure.reason,
        "tb": failure.detail,
        "time": time,
        "errno": int(failure.errno),
        "id": id_,
    }
