"""The options of a watcher as its page shows and takes them: texts, as in a configuration file."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cvec_circus_core.api import WatcherSpec, declared_families, declared_options, option_names
from cvec_circus_plugins.commands import _option_words

_LISTS_OF_NAMES = ("names",)
_MAPPING = "mapping"


@dataclass(frozen=True, slots=True)
class OptionRow:
    """One option."""

    name: str
    text: str
    """Its value."""
    help: str
    allowed: str
    kind: str
    default: str
    needs: str
    """What changing it needs."""
    settable: bool
    is_default: bool


def option_rows(options: Mapping[str, Any]) -> list[OptionRow]:
    """Return a row for each declared option, and for each that the watcher has of its own."""
    declared = {
        name: option for name, option in declared_options(WatcherSpec).items() if not option.inert
    }
    rows = []
    for name, option in declared.items():
        default = option.kind.show(option.default)
        value = options.get(name, default)
        rows.append(
            OptionRow(
                name,
                option_text(option.kind.name, value),
                option.help,
                option.kind.allowed,
                option.kind.name,
                option_text(option.kind.name, default),
                option.changing.value,
                option.settable and not option.secret and name in options,
                value == default,
            )
        )
    return [*rows, *_member_rows(options)]


def _member_rows(options: Mapping[str, Any]) -> Iterable[OptionRow]:
    for family in declared_families(WatcherSpec).values():
        whole = options.get(f"{family.name}_conf", options.get(family.name)) or {}
        own = {key: value for key, value in options.items() if family.member(key)}
        own |= {f"{family.prefix}{member}": value for member, value in whole.items()}
        for key, value in sorted(own.items()):
            kind = family.kind_of(family.member(key) or "")
            text = option_text(kind.name, value)
            yield OptionRow(
                *(key, text, family.help, kind.allowed, kind.name, ""),
                *(family.changing.value, True, False),
            )


def option_text(kind: str, value: object) -> str:
    """Return the text that is read as a value."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            words = [str(word) for word in value]
            return " ".join(words) if kind in _LISTS_OF_NAMES else shlex.join(words)
        case dict():
            return json.dumps(value)
        case _:
            return str(value)


def read_texts(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return options as the daemon takes them. Raises ValueError with a sentence."""
    return {key: _read(key, text) for key, text in texts.items()}


def _read(key: str, text: str) -> object:
    option = declared_options(WatcherSpec).get(option_names(WatcherSpec).get(key, ""))
    if option is not None and not text.strip() and option.default is None:
        return None
    if option is not None and option.kind.name == _MAPPING and text.lstrip().startswith("{"):
        # Pairs with commas between them could not tell values that hold commas.
        try:
            return option.kind.show(option.kind.check(json.loads(text)))
        except ValueError as error:
            raise ValueError(f"{key} isn't {error}: {text!r}") from None
    return _option_words.read_option(key, text)
