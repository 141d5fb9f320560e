"""Which watchers a pattern means (spec: protocol, match)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable

from cvec_circus_core.model.errors import BadMessage, UnknownWatcher
from cvec_circus_core.model.names import name_key
from cvec_circus_core.policy.order import Item, start_order

MATCHES = ("simple", "glob", "regex")


def matches(pattern: str, match: str) -> Callable[[str], bool]:
    """Return what tells whether a name is meant; names are compared in lower case.

    ``simple`` is the exact name, ``glob`` has shell wildcards, ``regex`` is anchored at the start.
    Raises `BadMessage` for an unknown way or a pattern that can not be used.
    """
    key = name_key(pattern)
    if match == "simple":
        return lambda name: name_key(name) == key
    if match == "glob":
        return lambda name: fnmatch.fnmatchcase(name_key(name), key)
    if match == "regex":
        try:
            compiled = re.compile(pattern, re.IGNORECASE)
        except re.error as error:
            raise BadMessage(f"bad regex {pattern!r}: {error}") from None
        return lambda name: compiled.match(name_key(name)) is not None
    raise BadMessage(f"match is {match!r}, not one of {', '.join(MATCHES)}")


def matching(watchers: Iterable[Item], pattern: str, match: str) -> list[Item]:
    """Return the watchers that a pattern means, highest priority first.

    Raises `UnknownWatcher` where none matches, `BadMessage` for a bad pattern.
    """
    is_meant = matches(pattern, match)
    chosen = [watcher for watcher in start_order(watchers) if is_meant(watcher.spec.name)]
    if not chosen:
        raise UnknownWatcher(pattern)
    return chosen
