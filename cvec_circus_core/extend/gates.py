"""Gates: hooks that an installed package brings by a name, for any watcher to pass through.

    [watcher:encoder]
    cmd = encode
    hooks.before_spawn = gate:disk-space

A gate is called like any other hook of the operator, with keywords; where an answer counts, False
keeps it shut. It is a function, or a class that is made once for each watcher, of the entry-point
group ``cvec_circus.gates``. Packages are looked at when a watcher first comes to its gate.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from cvec_circus_core.extend.points import points_of
from cvec_circus_core.extend.registry import GATES, load_point, origin_of
from cvec_circus_core.model.errors import ConfigError


def find_gate(name: str) -> Callable[..., Any]:
    """Return a gate by its name. Raises `ConfigError` with a sentence that says why not."""
    points = {entry_point.name: entry_point for entry_point in points_of(GATES)}
    point = points.get(name)
    if point is None:
        close = difflib.get_close_matches(name, points, n=1)
        names = ", ".join(sorted(points)) or "none"
        hint = f"did you mean {close[0]}?" if close else f"those installed are {names}"
        raise ConfigError(f"no gate is named {name!r}; {hint}")
    loaded = load_point(point, "gate")
    gate = loaded() if isinstance(loaded, type) else loaded
    if not callable(gate):
        raise ConfigError(f"gate {name} of {origin_of(point).distribution} can not be called")
    return gate  # type: ignore[no-any-return] # callable() has been asked
