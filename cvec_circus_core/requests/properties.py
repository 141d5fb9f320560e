"""The properties of a request become its request type, with every type checked.

The types are declared once, on the command's request class (`extend/request.py`) and checked
strictly: ``"3"`` is no integer. msgspec does that for all but the plainest cases, and is imported
when the first other one comes: it takes two megabytes, a twelfth of an idle daemon. Unknown
properties are ignored, as clients of the older system send some; an open-ended request type keeps
them.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from importlib import import_module
from types import UnionType
from typing import Any

from cvec_circus_core.extend.request import Request, properties
from cvec_circus_core.model.errors import BadMessage


def convert(request: type[Request], given: Mapping[str, Any]) -> Request:
    """Return the request. Raises `BadMessage`, naming the property and what is wrong."""
    declared = properties(request)
    for prop in declared:
        if prop.required and prop.name not in given:
            raise BadMessage(f"message invalid '{prop.name}' is missing")
    values = {prop.name: given[prop.name] for prop in declared if prop.name in given}
    hints = _hints(request)
    checked = {name: _checked(name, value, hints[name]) for name, value in values.items()}
    if request.open_ended:
        rest = {name: value for name, value in given.items() if name not in values}
        return request(**checked, **rest)
    return request(**checked)


def schema_of(request: type[Request]) -> dict[str, Any]:
    """Return the JSON schema of what a command takes."""
    hints = _hints(request)
    msgspec = import_module("msgspec")
    declared = properties(request)
    own_schemas: dict[str, Any] = {}
    for prop in declared:
        schema = {**msgspec.json.schema(hints[prop.name]), "description": prop.help}
        if prop.choices:
            schema["enum"] = list(prop.choices)
        if prop.default is not None and not prop.required:
            schema["default"] = prop.default
        own_schemas[prop.name] = schema
    return {
        "type": "object",
        "properties": own_schemas,
        "required": [prop.name for prop in declared if prop.required],
        "additionalProperties": True,
    }


def _checked(name: str, value: object, hint: object) -> object:
    if value.__class__ is hint or value.__class__ in _members(hint):
        return value
    msgspec = import_module("msgspec")
    try:
        return msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError as error:
        raise BadMessage(f"property '{name}' is wrong: {str(error).lower()}") from None


def _members(hint: object) -> tuple[object, ...]:
    return typing.get_args(hint) if isinstance(hint, UnionType) else ()


def _hints(request: type[Request]) -> dict[str, Any]:
    hints = _known_hints.get(request)
    if hints is None:
        hints = _known_hints[request] = typing.get_type_hints(request)
    return hints


_known_hints: dict[type[Request], dict[str, Any]] = {}
"""The annotated types, looked up once per request type."""
