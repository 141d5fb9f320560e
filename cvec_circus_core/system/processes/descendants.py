"""The trees of all spawned processes: planted, signalled, felled, swept.

Where we are a sub-reaper, whatever a process leaves behind is given to us, so a look at our adopted
children after each end finds it (`adopted.py`). Elsewhere a process that nobody asked to contain,
and whose tree nobody signalled, has no entry here at all: what it leaves behind is found by its
process group alone.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop

from cvec_circus_core.system.processes.adopted import Adopted
from cvec_circus_core.system.processes.cgroups import ControlGroups, Leaf
from cvec_circus_core.system.processes.leftovers import Find, LeftoverKiller
from cvec_circus_core.system.processes.process_table import Row, read_table
from cvec_circus_core.system.processes.spawn_tags import SpawnTags
from cvec_circus_core.system.processes.trees import Tree, has_group, signal_children, signal_tree
from cvec_circus_core.system.protocols import OnSwept, Scope

_REMEMBERED = 65_536
"""So many trees whose root has ended, with something alive and no sweep, are remembered."""

_STRAYS = 0
"""The root of no tree."""


class Descendants:
    """What we know of the descendants of the processes we started."""

    def __init__(
        self, loop: AbstractEventLoop, *, hears_ends: bool, is_subreaper: bool = False
    ) -> None:
        self._loop = loop
        self._groups: ControlGroups | None = None
        self._marks = SpawnTags() if is_subreaper else None
        self._roots: dict[int, int | None] = {}
        """Living roots and their marks, where we are a sub-reaper."""
        self._adopted = Adopted(loop, self._roots.__contains__) if is_subreaper else None
        self._sweeper = LeftoverKiller(loop, self._look, hears_ends=hears_ends)
        self._living: dict[int, Tree] = {}
        self._ended: dict[int, Tree] = {}

    def plot(self, contain: bool) -> Leaf | None:
        """Return the control group for a process to be started, if it shall and can have one."""
        if not contain:
            return None
        if self._groups is None:
            self._groups = ControlGroups()
        return self._groups.new_leaf()

    def new_mark(self) -> int | None:
        """Return the birthmark for a process to be started, if it shall and can have one."""
        return None if self._marks is None else self._marks.new()

    def plant(self, pid: int, leaf: Leaf | None, mark: int | None = None) -> None:
        """Begin with a process that was just started."""
        self._ended.pop(pid, None)
        if self._adopted is not None:
            self._roots[pid] = mark
        if leaf is not None and self._groups is not None and self._groups.check(leaf, pid):
            self._living[pid] = Tree(pid, leaf, mark)

    def signal(self, pid: int, signum: int, scope: Scope) -> bool:
        """Signal a process's children or its whole tree; the process is alive or unreaped."""
        if scope is Scope.CHILDREN:
            return signal_children(pid, signum)
        tree = self._living.setdefault(pid, Tree(pid, mark=self._roots.get(pid)))
        adopted = None if self._adopted is None else self._adopted.recent()
        return signal_tree(tree, signum, adopted)

    def fell(self, pid: int) -> bool:
        """Say that a process was reaped; return whether it may have left somebody behind."""
        tree = self._living.pop(pid, None)
        mark = self._roots.pop(pid, None)
        if self._adopted is not None:
            tree = tree or Tree(pid, mark=mark)
        elif tree is None:
            if not has_group(pid):
                return False
            tree = Tree(pid)
        elif not tree.has_survivors():
            if tree.leaf is not None:
                tree.leaf.remove()
            return False
        self._ended[pid] = tree
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
        return True

    def sweep(self, pid: int, signum: int, grace: float, on_swept: OnSwept) -> None:
        """Stop what an ended process left behind; a second time without grace hurries it."""
        tree = self._ended.pop(pid, None)
        if tree is not None:
            self._sweeper.sweep(tree, signum, grace, on_swept)
        elif grace > 0 or not self._sweeper.hasten(pid):
            self._loop.call_soon(on_swept, pid)

    def kill_orphans(self, signum: int, grace: float, on_swept: OnSwept) -> None:
        """Stop all adopted children that do not belong to somebody who is left running."""
        if self._adopted is None:
            self._loop.call_soon(on_swept, _STRAYS)
        elif grace > 0 or not self._sweeper.hasten(_STRAYS):
            self._sweeper.sweep(Tree(_STRAYS), signum, grace, on_swept)

    def close(self) -> None:
        """Forget all trees; what is alive is left alone."""
        self._sweeper.close()
        self._living.clear()
        self._ended.clear()
        self._roots.clear()
        if self._groups is not None:
            self._groups.close()

    def _look(self) -> Find:
        if self._adopted is None:
            table = read_table()
            return lambda tree: tree.look_in(table)
        reading = self._adopted.read()

        def find(tree: Tree) -> list[Row]:
            if tree.root != _STRAYS:
                return tree.look_among(reading)
            spared = {*self._roots.values(), *(one.mark for one in self._ended.values())} - {None}
            kept = {pid for mark in spared for pid in reading.marked(mark)}
            return [row for pid, row in reading.rows.items() if pid not in kept]

        return find
