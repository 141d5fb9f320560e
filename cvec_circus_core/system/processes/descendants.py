"""The trees of all spawned processes: reserved, tracked, signalled, forgotten, cleared away.

Where we are a sub-reaper, whatever a process leaves behind is given to us, so a look at our adopted
children after each end finds it (`adopted.py`). Elsewhere a process that nobody asked to contain,
and whose tree nobody signalled, has no entry here at all: what it leaves behind is found by its
process group alone.
"""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop

from cvec_circus_core.system.processes.adopted import AdoptedChildren
from cvec_circus_core.system.processes.cgroups import ControlGroups, Leaf
from cvec_circus_core.system.processes.leftovers import FindLiving, LeftoverKiller
from cvec_circus_core.system.processes.process_table import Row, read_row, read_table
from cvec_circus_core.system.processes.spawn_tags import SpawnTags, tag_of
from cvec_circus_core.system.processes.state_file import NO_RECORD, SpawnRecord
from cvec_circus_core.system.processes.trees import Tree, has_group, signal_children, signal_tree
from cvec_circus_core.system.protocols import ORPHANS, OnGone

_REMEMBERED = 65_536
"""So many trees whose root has ended, with something alive and nobody to stop it, are kept."""


class Descendants:
    """What we know of the descendants of the processes we started."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        *,
        hears_ends: bool,
        is_subreaper: bool = False,
        record: SpawnRecord = NO_RECORD,
    ) -> None:
        self._loop = loop
        self._record = record
        self._groups: ControlGroups | None = None
        self._tags = SpawnTags() if is_subreaper else None
        self._roots: dict[int, int | None] = {}
        """Living roots and their tags, where we are a sub-reaper."""
        self._adopted = AdoptedChildren(loop, self._roots.__contains__) if is_subreaper else None
        self._killer = LeftoverKiller(loop, self._look, hears_ends=hears_ends)
        self._living: dict[int, Tree] = {}
        self._ended: dict[int, Tree] = {}

    def reserve(self, contain: bool) -> Leaf | None:
        """Return the control group for a process about to be started, if it is to have one."""
        self._record.expect()
        if not contain:
            return None
        if self._groups is None:
            self._groups = ControlGroups()
        return self._groups.new_leaf()

    def new_tag(self) -> int | None:
        """Return the spawn tag for a process to be started, if it shall and can have one."""
        return None if self._tags is None else self._tags.new()

    def track(self, pid: int, leaf: Leaf | None, tag: int | None = None, title: str = "") -> None:
        """Begin with a process that was just started."""
        self._record.began(pid, tag, title)
        self._ended.pop(pid, None)
        if self._adopted is not None:
            self._roots[pid] = tag
        if leaf is not None and self._groups is not None and self._groups.check(leaf, pid):
            self._living[pid] = Tree(pid, leaf, tag)

    def adopt(self, pid: int) -> None:
        """Begin with a process that another owner has started, and has recorded."""
        tag, row = tag_of(pid), read_row(pid)
        if self._adopted is not None and row is not None:
            self._roots[pid] = tag
            if tag is not None and row.parent != os.getpid():
                self._adopted.look_elsewhere(row.parent, tag)

    def signal_children(self, pid: int, signum: int) -> bool:
        """Signal a process's children; the process is alive or unreaped."""
        return signal_children(pid, signum)

    def signal_tree(self, pid: int, signum: int) -> bool:
        """Signal a process's whole tree; the process is alive or unreaped."""
        tree = self._living.setdefault(pid, Tree(pid, tag=self._roots.get(pid)))
        adopted = None if self._adopted is None else self._adopted.recent()
        return signal_tree(tree, signum, adopted)

    def forget(self, pid: int) -> bool:
        """Say that a process was reaped; return whether it may have left somebody behind."""
        self._record.ended(pid)
        tree = self._living.pop(pid, None)
        tag = self._roots.pop(pid, None)
        if self._adopted is not None:
            tree = tree or Tree(pid, tag=tag)
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

    def kill_leftovers(self, pid: int, signum: int, grace: float, on_gone: OnGone) -> None:
        """Stop what an ended process left behind; a second time without grace hurries it."""
        tree = self._ended.pop(pid, None)
        if tree is not None:
            self._killer.kill(tree, signum, grace, on_gone)
        elif grace > 0 or not self._killer.hasten(pid):
            self._loop.call_soon(on_gone, pid)

    def kill_orphans(self, signum: int, grace: float, on_gone: OnGone) -> None:
        """Stop all adopted children that do not belong to somebody who is left running."""
        if self._adopted is None:
            self._loop.call_soon(on_gone, ORPHANS)
        elif grace > 0 or not self._killer.hasten(ORPHANS):
            self._killer.kill(Tree(ORPHANS), signum, grace, on_gone)

    def close(self) -> None:
        """Forget all trees; what is alive is left alone."""
        self._killer.close()
        self._living.clear()
        self._ended.clear()
        self._roots.clear()
        if self._groups is not None:
            self._groups.close()

    def _look(self) -> FindLiving:
        if self._adopted is None:
            table = read_table()
            return lambda tree: tree.look_in(table)
        snapshot = self._adopted.read()

        def find(tree: Tree) -> list[Row]:
            if tree.root != ORPHANS:
                return tree.look_among(snapshot)
            tags = {*self._roots.values(), *(ended.tag for ended in self._ended.values())} - {None}
            spared = {pid for tag in tags for pid in snapshot.tagged(tag)}
            return [row for pid, row in snapshot.rows.items() if pid not in spared]

        return find
