"""Whether a dotted name can mean something, told without importing it.

To import a module is to run it, which is for those who use it. Here only its file is looked for,
and looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

_MAKES_NAMES = re.compile(rb"import \*|def __getattr__|globals\(\)|setattr\(|__path__")


def first_missing(dotted: str, path: Sequence[str] = ()) -> str:
    """Return a dotted name up to its first part that is not there; nothing where all is.

    ``path`` are folders to look into after those of this program. What a module makes while it is
    imported can not be known: it counts as there.
    """
    parts = dotted.replace(":", ".").split(".")
    module = _top(parts[0], path)
    if module is None:
        return parts[0]
    for number, part in enumerate(parts[1:], 2):
        inner = None
        if module.submodule_search_locations is not None:
            locations = list(module.submodule_search_locations)
            inner = PathFinder.find_spec(".".join(parts[:number]), locations)
        if inner is None:
            return "" if _may_hold(module, part) else ".".join(parts[:number])
        module = inner
    return ""


def is_module_there(name: str, path: Sequence[str] = ()) -> bool:
    """Tell whether a module without a dot in its name can be found."""
    return _top(name, path) is not None


def is_installed(name: str) -> bool:
    """Tell whether there is a file of this module, and not only something that stands in for it."""
    return PathFinder.find_spec(name) is not None


def _top(name: str, path: Sequence[str]) -> ModuleSpec | None:
    if not name:
        return None
    if name in sys.modules:
        return sys.modules[name].__spec__ or ModuleSpec(name, None)
    # Finders of every kind are asked; seldom needed, so it comes when it is.
    module: ModuleSpec | None = import_module("importlib.util").find_spec(name)
    return module or PathFinder.find_spec(name, list(path))


def _may_hold(module: ModuleSpec, name: str) -> bool:
    if module.origin is None:
        # A folder without a file of its own holds nothing but modules.
        return module.submodule_search_locations is None
    file = Path(module.origin)
    if file.suffix != ".py":
        return True
    try:
        text = file.read_bytes()
    except OSError:
        return True
    return (
        bool(_MAKES_NAMES.search(text)) or re.search(rb"\b%b\b" % name.encode(), text) is not None
    )
