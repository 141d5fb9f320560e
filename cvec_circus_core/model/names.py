"""Names of watchers: kept as written, compared without case, and one spelling for topics."""

from __future__ import annotations

import re

_SPACE = re.compile(r"\s")


def name_key(name: str) -> str:
    """Return the form in which two names of watchers are compared."""
    return name.strip().lower()


def topic_name(name: str) -> str:
    """Return the form of a watcher's name that stands in event topics.

    Lower case with white space as underscores; dots stay, because every body carries the real
    name under ``watcher`` (spec: protocol, events).
    """
    return _SPACE.sub("_", name_key(name))
