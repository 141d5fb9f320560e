"""Names of a module that are loaded from others when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any


class LazyNames:
    """The names that one module promises, and in which module of the kernel each of them is."""

    def __init__(self, module: str, names_by_module: Mapping[str, str]) -> None:
        self._module = module
        self._modules = {
            name: f"cvec_circus_core.{origin}".rstrip(".")
            for origin, names in names_by_module.items()
            for name in names.split()
        }

    def __dir__(self) -> list[str]:
        return sorted(self._modules)

    def load(self, name: str) -> Any:
        """Return what has a name, which the module has from now on. Raises AttributeError."""
        if name not in self._modules:
            raise AttributeError(f"module {self._module!r} has no attribute {name!r}")
        value = getattr(import_module(self._modules[name]), name)
        setattr(sys.modules[self._module], name, value)
        return value
