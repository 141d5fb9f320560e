"""What both clients say and hear: messages out, replies in.

Every call goes out under an id of its own, whatever id the caller's message had. A reply that comes
after its call was given up can so never be taken for the answer to a later one; the caller's own id
is put back into the reply.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from cvec_circus_core.model.errors import CallError

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5555"
DEFAULT_TIMEOUT = 5.0


def make_message(command: str, /, **props: object) -> dict[str, Any]:
    """Return a request for a command with these properties."""
    return {"command": command, "properties": props}


def cast_message(command: str, /, **props: object) -> dict[str, Any]:
    """Return a request that wants no reply."""
    return {**make_message(command, **props), "msg_type": "cast"}


def make_json(command: str, /, **props: object) -> str:
    """Return the text of a request."""
    return json.dumps(make_message(command, **props))


def is_cast(message: Mapping[str, Any]) -> bool:
    """Tell whether a request wants no reply."""
    return message.get("msg_type") == "cast"


def new_id() -> str:
    """Return an id that no other call has: 32 hexadecimal digits, as a uuid4 has."""
    return os.urandom(16).hex()


def encode(message: Mapping[str, Any], id: str) -> bytes:
    """Return the frame of a request under this id. Raises TypeError for what is no mapping."""
    if not isinstance(message, Mapping):
        raise TypeError(f"a message is a mapping, not {type(message).__name__}")
    try:
        return json.dumps({**message, "id": id}).encode()
    except (TypeError, ValueError) as error:
        raise CallError(f"the message can not be sent: {str(error).lower()}") from None


def decode(frame: bytes) -> dict[str, Any] | None:
    """Return the reply in a frame, or nothing where it holds none."""
    try:
        reply = json.loads(frame)
    except ValueError:
        return None
    return reply if isinstance(reply, dict) else None


def with_id_of(message: Mapping[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    """Return the reply under the id that the caller's message had, if it had one."""
    return {**reply, "id": message["id"]} if "id" in message else reply
