"""Patterns such as 'web*' where a command takes the name of one watcher.

Commands that start and stop read patterns in the daemon. The others take one watcher a request; for
them, circusctl asks for the names, and sends a request for each watcher that is meant.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from cvec_circus_cli.output import WILD
from cvec_circus_core import api
from cvec_circus_plugins.questions import watcher_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_cli.requests import Connection


def each_watcher(
    connection: Connection, messages: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], bool]:
    """Return a message per watcher, each watcher once, and whether they are to be told apart.

    They are where there are several, or where there was a pattern, whatever it has matched. A name
    that has marks in it still means the watcher of that name. A pattern that matches nothing stays:
    the daemon has the sentence for what is not there. Raises CallError.
    """
    watchers = watcher_names(connection.call)
    messages_by_key: dict[str, Mapping[str, Any]] = {}
    has_pattern = False
    for properties in messages:
        name = properties["name"]
        names = [name]
        if not WILD.isdisjoint(name) and not any(
            _key(watcher) == _key(name) for watcher in watchers
        ):
            has_pattern = True
            pattern = _key(name)
            names = [match for match in watchers if fnmatchcase(_key(match), pattern)] or names
        for meant in names:
            messages_by_key.setdefault(_key(meant), {**properties, "name": meant})
    return list(messages_by_key.values()), has_pattern or len(messages_by_key) > 1


def nearest_watcher(connection: Connection, name: str) -> str:
    """Return the watcher whose name is most like this one, if one is much like it."""
    from difflib import get_close_matches

    try:
        watchers = {_key(watcher): watcher for watcher in watcher_names(connection.call)}
    except api.CallError:
        return ""
    near = get_close_matches(_key(name), watchers, n=1)
    return watchers[near[0]] if near else ""


_key = api.name_key
