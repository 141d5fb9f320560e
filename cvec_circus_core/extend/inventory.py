"""What is installed beside us: every entry point of our groups, whose it is, and what became of it.

Groups that a daemon loads at its start are loaded again, which costs nothing where they could be,
and tells why where they could not. The others are loaded when something names one of their things;
to look at them does not load them. What this process has failed to load is told; what the process
of an isolated plugin has failed to load stands in its log.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from importlib.util import find_spec

from cvec_circus_core.extend.points import groups, points_of
from cvec_circus_core.extend.registry import FAILED, OLDER_NAMES, load_group, origin_of
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
    ours = {group for group in groups() if group.startswith(PREFIX)}
    extensions_ = [extension for group in ours - {OLDER_NAMES} for extension in _of(group)]
    return sorted(extensions_, key=lambda one: (one.group, one.name, one.distribution))


def _of(group: str) -> Iterator[Extension]:
    short = group.removeprefix(PREFIX)
    if short not in _AT_START:
        for point in points_of(group):
            state, reason = _state_of(point)
            origin = origin_of(point)
            whose = (origin.distribution, origin.version)
            yield Extension(short, point.name, point.value, *whose, state, reason)
        return
    loaded = load_group(group, _anything, quietly=True)
    for origin in map(origin_of, loaded.points.values()):
        yield Extension(
            short, origin.name, origin.value, origin.distribution, origin.version, "loaded"
        )
    for failure in loaded.failures:
        origin = failure.origin
        yield Extension(
            short,
            origin.name,
            origin.value,
            origin.distribution,
            origin.version,
            "failed",
            failure.reason,
        )


def _state_of(point: EntryPoint) -> tuple[str, str | None]:
    if point in FAILED:
        return "failed", FAILED[point]
    if point.module in sys.modules:
        return "loaded", None
    top = point.module.partition(".")[0]
    # To look for a module does not run it, as long as it is not inside a package.
    if find_spec(top) is None:
        return "failed", f"ModuleNotFoundError: No module named {top!r}"
    return "installed", None


def _anything(found: object) -> object:
    return found
