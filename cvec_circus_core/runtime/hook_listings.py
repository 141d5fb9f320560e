"""The watchers of an arbiter as the list and the mapping that hooks were written for.

What is taken out of either is removed from the daemon; it may be taken out of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, SupportsIndex, TypeVar

W = TypeVar("W")

Remove = Callable[[W], object]

_NO_ADDING = "watchers are added by arbiter.add_watcher(name, cmd, ...)"


class WatcherList(list[W]):
    """All watchers in order; `del` and ``remove`` take one away."""

    def __init__(self, watchers: Iterable[W], remove: Remove[W]) -> None:
        super().__init__(watchers)
        self._remove = remove

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        taken = self[index]
        for watcher in taken if isinstance(taken, list) else [taken]:
            self._remove(watcher)
        super().__delitem__(index)

    def remove(self, watcher: W) -> None:
        """Take a watcher away. Raises ValueError."""
        del self[self.index(watcher)]

    def pop(self, index: SupportsIndex = -1) -> W:
        """Take a watcher away and return it."""
        watcher = self[index]
        del self[index]
        return watcher

    def append(self, watcher: W) -> None:
        """Refuse: a watcher is added by ``add_watcher``."""
        raise TypeError(_NO_ADDING)

    def extend(self, watchers: Iterable[W]) -> None:
        """Refuse: a watcher is added by ``add_watcher``."""
        raise TypeError(_NO_ADDING)

    def insert(self, index: SupportsIndex, watcher: W) -> None:
        """Refuse: a watcher is added by ``add_watcher``."""
        raise TypeError(_NO_ADDING)


class WatchersByName(dict[str, W]):
    """All watchers by their names in lower case; ``pop`` and ``del`` take one away."""

    def __init__(self, watchers: Iterable[tuple[str, W]], remove: Remove[W]) -> None:
        super().__init__(watchers)
        self._remove = remove

    def __delitem__(self, name: str) -> None:
        self._remove(self[name])
        super().__delitem__(name)

    def pop(self, name: str, *default: Any) -> Any:
        """Take a watcher away and return it. Raises KeyError."""
        if name not in self:
            return super().pop(name, *default)
        watcher = self[name]
        del self[name]
        return watcher

    def __setitem__(self, name: str, watcher: W) -> None:
        raise TypeError(_NO_ADDING)
