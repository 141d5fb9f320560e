"""In which order watchers start and stop."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Protocol, TypeVar

from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.specs import WatcherSpec


class HasSpec(Protocol):
    """Anything that carries a watcher's spec."""

    @property
    def spec(self) -> WatcherSpec:
        """The spec."""


Item = TypeVar("Item", bound=HasSpec)


def start_order(watchers: Iterable[Item]) -> list[Item]:
    """Return them with the highest priority first, equal ones by name."""
    return sorted(watchers, key=lambda item: (-item.spec.priority, name_key(item.spec.name)))


def stop_order(watchers: Iterable[Item]) -> list[Item]:
    """Return them in the reverse of the start order (DESIGN §5.16)."""
    return start_order(watchers)[::-1]


def start_groups(watchers: Iterable[Item]) -> list[list[Item]]:
    """Return them in start order, those of one priority together."""
    ordered = start_order(watchers)
    return [list(group) for _, group in groupby(ordered, key=lambda item: item.spec.priority)]
