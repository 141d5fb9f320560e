"""Who descends from whom, without reading every process of the machine again and again.

A stranger stays a stranger: nobody becomes the child of a process of ours later on. So a look reads
the processes of ours and those that are new; strangers are read anew twice a minute, in case a
number was used again between two looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

STRANGERS_FOR = 30.0
"""Seconds."""


class ProcessTree:
    """The descendants of some processes, as they were at the last look."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}
        self._family: set[int] = set()
        self._strangers_until = 0.0
        self.looked_at = float("-inf")
        self.children: Mapping[int, list[int]] = {}

    def look(
        self,
        roots: Iterable[int],
        pids: Sequence[int],
        parent_of: Callable[[int], int | None],
        now: float,
    ) -> None:
        """Find the descendants of ``roots`` among ``pids``, which are all that there are."""
        if now >= self._strangers_until:
            self._parents.clear()
            self._strangers_until = now + STRANGERS_FOR
        before, self._parents = self._parents, {}
        children: dict[int, list[int]] = {}
        present = frozenset(pids)
        for pid in present:
            parent = None if pid in self._family else before.get(pid)
            if parent is None or (parent not in present and parent):
                parent = parent_of(pid) or 0
            self._parents[pid] = parent
            children.setdefault(parent, []).append(pid)
        self.children = children
        self._family = set(self.below(roots))
        self.looked_at = now

    def below(self, roots: Iterable[int]) -> list[int]:
        """Return all descendants, ``roots`` left out, parents before children."""
        descendants: list[int] = []
        met = set(roots)
        ahead = list(met)
        while ahead:
            for child in self.children.get(ahead.pop(), ()):
                if child not in met:
                    met.add(child)
                    descendants.append(child)
                    ahead.append(child)
        return descendants
