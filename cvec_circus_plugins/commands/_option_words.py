"""How the text of an option on the command line becomes the JSON value that the daemon takes.

What an option takes is read from its declaration; a key that nobody declared stays a text.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cvec_circus_core.api import JsonValue, Kind


def pairs(words: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Split words like KEY=VALUE. Raises ValueError."""
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key:
            raise ValueError(f"an option is given as KEY=VALUE, not {word!r}")
        yield key, text


def read_socket_options(words: Iterable[str]) -> dict[str, Any]:
    """Return the options of a managed socket by key. Raises ValueError."""
    declared = api.declared_options(api.SocketSpec)
    return {
        key: _json_of(key, declared[key].kind, text) if key in declared else text
        for key, text in pairs(words)
    }


def read_options(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return options by key. Raises ValueError for a text that is no value of its option."""
    return {key: read_option(key, text) for key, text in pairs}


def read_option(key: str, text: str) -> JsonValue:
    """Return the JSON value of one option. Raises ValueError."""
    name = api.option_names(api.WatcherSpec).get(key)
    if name is not None:
        kind = api.declared_options(api.WatcherSpec)[name].kind
        return _json_of(key, kind, text)
    for family in api.declared_families(api.WatcherSpec).values():
        if key in (family.name, *family.aliases):
            return _read_object(key, text)
        if member := family.member(key):
            return _json_of(key, family.kind_of(member), text)
    return text


def _json_of(key: str, kind: Kind, text: str) -> JsonValue:
    try:
        content: JsonValue = kind.show(kind.parse(text))
    except ValueError as error:
        raise ValueError(f"{key} isn't {error}: {text!r}") from None
    return content


def _read_object(key: str, text: str) -> JsonValue:
    try:
        content: JsonValue = json.loads(text)
    except ValueError:
        raise ValueError(f"{key} isn't a JSON object: {text!r}") from None
    return content
