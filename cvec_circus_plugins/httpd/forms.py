"""What a page or a program has sent along: the fields of a form, or a JSON object."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from cvec_circus_core.api import BadMessage

_FIELDS = 200


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form; the last one of several with the same name. Raises BadMessage"""
    try:
        text = (await request.body()).decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError as error:
        raise BadMessage(f"the form can not be read: {error}") from None


async def object_of(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent; an empty one for nothing. Raises `BadMessage`."""
    body = await request.body()
    if not body.strip():
        return {}
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise BadMessage("the body must be JSON, and say so: content-type application/json")
    try:
        value = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadMessage("the body is no JSON") from None
    if not isinstance(value, dict):
        raise BadMessage("the body must be a JSON object")
    return value


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
