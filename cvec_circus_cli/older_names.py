"""Modules of the older system, for code that imports them where it is not installed.

`install` puts a finder behind all others: an installed ``circus`` wins. What the modules hold is
told by the entry points of the group ``cvec_circus.older_names``, a dotted name each, and loaded
when it is asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

GROUP = "cvec_circus.older_names"
ROOT = "circus"


class OlderNames(MetaPathFinder, Loader):
    """Finds ``circus`` and the modules below it."""

    def __init__(self) -> None:
        self._points: dict[str, EntryPoint] | None = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how a module of the older system is made, if something of it is ours now."""
        if fullname.partition(".")[0] != ROOT:
            return None
        # Below an older package that is installed, nothing is missing that we should fill in.
        parent = sys.modules.get(ROOT)
        if parent is not None and not isinstance(
            parent.__spec__.loader if parent.__spec__ else None, OlderNames
        ):
            return None
        if fullname != ROOT and not any(point.startswith(f"{fullname}.") for point in self.points):
            return None
        return ModuleSpec(fullname, self, origin="cvec_circus", is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make the module."""
        return _OlderModule(spec.name, self.points)

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: names are loaded when they are asked for."""

    @property
    def points(self) -> dict[str, EntryPoint]:
        """The entry points by the older dotted name."""
        if self._points is None:
            self._points = {
                entry_point.name: entry_point for entry_point in entry_points(group=GROUP)
            }
        return self._points


class _OlderModule(ModuleType):
    def __init__(self, name: str, points: dict[str, EntryPoint]) -> None:
        super().__init__(name, "Names of the older system for what is ours.")
        self._points = points

    def __getattr__(self, name: str) -> object:
        point = self._points.get(f"{self.__name__}.{name}")
        if point is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        value: object = point.load()
        setattr(self, name, value)
        return value


def install() -> None:
    """Find the older names from now on, after everything else."""
    if not any(isinstance(finder, OlderNames) for finder in sys.meta_path):
        sys.meta_path.append(OlderNames())
