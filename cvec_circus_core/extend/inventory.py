"""What is installed beside us: every entry point of our groups, whose it is, and what became of it.

Groups that a daemon loads at its start are loaded again, which costs nothing where they could be,
and tells why where they could not. The others are loaded when something names one of their things;
to look at them does not load them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any

from cvec_circus_core.extend.registry import OLDER_NAMES, load_group, origin_of
from cvec_circus_core.model.values import Struct

PREFIX = "cvec_circus."
_AT_START = ("commands", "formats", "kernel")


class Extension(Struct, frozen=True):
    """One named thing that a distribution brings."""

    group: str
    """Without the prefix that all groups have."""
    name: str
    value: str
    distribution: str
    version: str
    state: str
    """``loaded``, ``installed`` where nobody has needed it yet, or ``failed``."""
    reason: str | None = None


def extensions() -> list[Extension]:
    """Return everything that is installed in our groups, sorted by group and name."""
    groups = {one for one in entry_points().groups if one.startswith(PREFIX)}
    found = [one for group in groups - {OLDER_NAMES} for one in _of(group)]
    return sorted(found, key=lambda one: (one.group, one.name, one.distribution))


def _of(group: str) -> Iterator[Extension]:
    short = group.removeprefix(PREFIX)
    if short not in _AT_START:
        for point in entry_points(group=group):
            state = "loaded" if point.module in sys.modules else "installed"
            origin = origin_of(point)
            yield Extension(
                short, point.name, point.value, origin.distribution, origin.version, state
            )
        return
    loaded = load_group(group, _anything, quietly=True)
    for one in loaded.origins.values():
        yield Extension(short, one.name, one.value, one.distribution, one.version, "loaded")
    for failure in loaded.failures:
        one = failure.origin
        yield Extension(
            short, one.name, one.value, one.distribution, one.version, "failed", failure.reason
        )


def _anything(found: Any) -> Any:
    return found
