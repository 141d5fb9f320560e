"""YAML out of dictionaries, lists, texts and numbers; nothing has to be installed for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w./-]*")
_NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def yaml_text(value: Mapping[str, object]) -> str:
    """Return a document. Texts are quoted as in JSON, which YAML reads the same."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: object) -> Iterator[str]:
    match value:
        case dict() if value:
            for key, member in value.items():
                yield from _below(f"{_key(str(key))}:", member)
        case list() if value:
            for member in value:
                first, *rest = _lines(member)
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
        case _:
            yield json.dumps(value)


def _below(head: str, value: object) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from (f"  {line}" for line in _lines(value))
    else:
        yield f"{head} {json.dumps(value)}"


def _key(text: str) -> str:
    is_plain = _PLAIN_KEY.fullmatch(text) and text.lower() not in _NOT_TEXT
    return text if is_plain else json.dumps(text)
