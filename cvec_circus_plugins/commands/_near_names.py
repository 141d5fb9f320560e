"""What was probably meant where an option is not known.

Loaded only then: circusctl loads the commands, too, and has no use for this.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from cvec_circus_core import api

if TYPE_CHECKING:
    from collections.abc import Iterable

_LIKENESS = 0.7


def with_nearest(
    error: api.RequestError, keys: Iterable[str], names: Iterable[str]
) -> api.RequestError:
    """Return the error, with the nearest known name, if it is about one of these keys.

    What tools match on stays at the beginning.
    """
    for key in keys:
        if str(error) in (f"unknown key '{key}'", f"'{key}' option not found"):
            near = difflib.get_close_matches(key.lower(), list(names), n=1, cutoff=_LIKENESS)
            if near:
                error.args = (f"{error}; did you mean {near[0]}?",)
    return error


def of_watchers() -> Iterable[str]:
    """Return the names that options of a watcher have."""
    return api.option_names(api.WatcherSpec)
