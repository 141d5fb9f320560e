"""Which watchers a pattern means (spec: protocol, match)."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable

from cvec_circus_core.model.errors import BadMessage, UnknownWatcher
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.regex import LONGEST_PATTERN, Regex
from cvec_circus_core.model.text import quoted
from cvec_circus_core.policy.order import Item, start_order

MATCHES = ("simple", "glob", "regex")


def matches(pattern: str, match: str) -> Callable[[str], bool]:
    """Return what tells whether a name is meant; names are compared in lower case.

    ``simple`` is the exact name, ``glob`` has shell wildcards, ``regex`` is anchored at the start.
    Raises `BadMessage` for an unknown way or a pattern that can not be used.
    """
    if len(pattern) > LONGEST_PATTERN:
        raise BadMessage(f"the pattern is longer than {LONGEST_PATTERN} characters")
    key = name_key(pattern)
    if match == "simple":
        return lambda name: name_key(name) == key
    if match == "glob":
        return lambda name: fnmatch.fnmatchcase(name_key(name), key)
    if match == "regex":
        try:
            regex = Regex(pattern, ignores_case=True).checked()
        except ValueError as error:
            raise BadMessage(f"bad regex {quoted(pattern)}: {error}") from None
        return lambda name: regex.match(name_key(name)) is not None
    raise BadMessage(f"match is {quoted(match)}, not one of {', '.join(MATCHES)}")


def matching(watchers: Iterable[Item], pattern: str, match: str) -> list[Item]:
    """Return the watchers that a pattern means, highest priority first.

    Raises `UnknownWatcher` where none matches, `BadMessage` for a bad pattern.
    """
    is_meant = matches(pattern, match)
    chosen = [watcher for watcher in start_order(watchers) if is_meant(watcher.spec.name)]
    if not chosen:
        raise UnknownWatcher(pattern)
    return chosen
