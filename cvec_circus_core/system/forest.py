"""The trees of all spawned processes: planted, signalled, felled, swept.

A process that nobody asked to contain, and whose tree nobody signalled, has no entry here at all:
what it leaves behind is found by its process group alone.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop

from cvec_circus_core.system.cgroups import ControlGroups, Leaf
from cvec_circus_core.system.protocols import OnSwept, Scope
from cvec_circus_core.system.sweeping import Sweeper
from cvec_circus_core.system.trees import Tree, has_group, signal_children, signal_tree

_REMEMBERED = 1024
"""So many trees whose root has ended, with something alive and no sweep, are remembered."""


class Forest:
    """What we know of the descendants of the processes we started."""

    def __init__(self, loop: AbstractEventLoop, *, hears_ends: bool) -> None:
        self._loop = loop
        self._groups: ControlGroups | None = None
        self._sweeper = Sweeper(loop, hears_ends=hears_ends)
        self._living: dict[int, Tree] = {}
        self._ended: dict[int, Tree] = {}

    def plot(self, contain: bool) -> Leaf | None:
        """Return the control group for a process to be started, if it shall and can have one."""
        if not contain:
            return None
        if self._groups is None:
            self._groups = ControlGroups()
        return self._groups.new_leaf()

    def plant(self, pid: int, leaf: Leaf | None) -> None:
        """Begin with a process that was just started."""
        self._ended.pop(pid, None)
        if leaf is not None and self._groups is not None and self._groups.check(leaf, pid):
            self._living[pid] = Tree(pid, leaf)

    def signal(self, pid: int, signum: int, scope: Scope) -> bool:
        """Signal a process's children or its whole tree; the process is alive or unreaped."""
        if scope is Scope.CHILDREN:
            return signal_children(pid, signum)
        tree = self._living.setdefault(pid, Tree(pid))
        return signal_tree(tree, signum)

    def fell(self, pid: int) -> bool:
        """Say that a process has ended and was reaped; return whether it left anybody behind."""
        tree = self._living.pop(pid, None)
        if tree is None:
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
        """Stop what an ended process left behind."""
        tree = self._ended.pop(pid, None)
        if tree is None:
            self._loop.call_soon(on_swept, pid)
        else:
            self._sweeper.sweep(tree, signum, grace, on_swept)

    def close(self) -> None:
        """Forget all trees; what is alive is left alone."""
        self._sweeper.close()
        self._living.clear()
        self._ended.clear()
        if self._groups is not None:
            self._groups.close()
