"""Patterns such as 'web*' where a command takes the name of one watcher.

Commands that start and stop read patterns in the daemon. The others take one watcher a request; for
them, circusctl asks for the names, and sends a request for each watcher that is meant.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from cvec_circus_cli.output import WILD
from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_cli.requests import Connection


def meant(
    connection: Connection, messages: Sequence[Mapping[str, Any]]
) -> tuple[list[Mapping[str, Any]], bool]:
    """Return a message per watcher, each watcher once, and whether they are to be told apart.

    They are where there are several, or where there was a pattern, whatever it has matched. A name
    that has marks in it still means the watcher of that name. A pattern that matches nothing stays:
    the daemon has the sentence for what is not there. Raises CallError.
    """
    known: list[str] = connection.call("list", {}).get("watchers", [])
    found: dict[str, Mapping[str, Any]] = {}
    has_pattern = False
    for properties in messages:
        name = properties["name"]
        names = [name]
        if not WILD.isdisjoint(name) and not any(_key(one) == _key(name) for one in known):
            has_pattern = True
            names = [one for one in known if fnmatchcase(_key(one), _key(name))] or names
        for one in names:
            found.setdefault(_key(one), {**properties, "name": one})
    return list(found.values()), has_pattern or len(found) > 1


_key = api.name_key
