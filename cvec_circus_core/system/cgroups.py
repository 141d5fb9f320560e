"""Control groups: the one sure way to find all descendants of a process (Linux, cgroup v2).

Whatever a process does (new sessions, double forks), its children stay in its group, and writing to
``cgroup.kill`` ends them all at once. No controller is switched on: the groups only hold names.

A process is moved into its leaf right after its spawn, which takes about 0.3 ms, so this is done
only where the plan asks for it. What it may have forked in that moment is moved after it.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from cvec_circus_core.system.table import descendants_of

log = logging.getLogger(__name__)


class Leaf:
    """The control group of one process and its descendants."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pids(self) -> list[int]:
        """Return who is in it; the dead are not."""
        try:
            return [int(word) for word in (self._folder / "cgroup.procs").read_text().split()]
        except OSError:
            return []

    def kill(self) -> bool:
        """End everybody in it at once; tell whether the kernel can."""
        try:
            (self._folder / "cgroup.kill").write_text("1")
        except OSError:
            return False
        return True

    def remove(self) -> bool:
        """Take the group away; tell whether it is gone. One with somebody in it stays."""
        try:
            self._folder.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


class ControlGroups:
    """The groups that this process makes below its own."""

    def __init__(self, home: Path | None = None) -> None:
        self._home = own_group() if home is None else home
        self._folder: Path | None = None
        self._usable = self._home is not None
        self._count = 0

    def hold(self, pid: int) -> Leaf | None:
        """Move a process just started into a group of its own; None where that can not be."""
        folder = self._prepared()
        if folder is None:
            return None
        self._count += 1
        place = folder / str(self._count)
        leaf = Leaf(place)
        try:
            place.mkdir()
            _move(pid, place)
            for row in descendants_of([pid]):
                _move(row.pid, place)
        except OSError as error:
            leaf.remove()
            if not isinstance(error, ProcessLookupError):
                log.info("control groups are not used: %s", error)
                self._usable = False
            return None
        return leaf

    def close(self) -> None:
        """Take away what is empty."""
        if self._folder is None:
            return
        for place in self._folder.glob("*/"):
            Leaf(place).remove()
        Leaf(self._folder).remove()
        self._folder = None

    def _prepared(self) -> Path | None:
        if self._folder is None and self._usable and self._home is not None:
            folder = self._home / f"circus-{os.getpid()}"
            try:
                folder.mkdir(exist_ok=True)
            except OSError:
                self._usable = False
                return None
            self._folder = folder
        return self._folder if self._usable else None


def _move(pid: int, place: Path) -> None:
    with open(place / "cgroup.procs", "wb", buffering=0) as file:
        file.write(b"%d" % pid)


def own_group(proc: Path = Path("/proc/self")) -> Path | None:
    """Return the folder of the version 2 group that we are in; None if there is no such tree."""
    try:
        mounts = (proc / "mountinfo").read_text().splitlines()
        groups = (proc / "cgroup").read_text().splitlines()
    except OSError:
        return None
    ours = next((line[3:] for line in groups if line.startswith("0::/")), None)
    if ours is None:
        return None
    for line in mounts:
        left, _, right = line.partition(" - ")
        if right.split(" ", 1)[0] != "cgroup2":
            continue
        root, mounted_at = left.split(" ")[3:5]
        if ours == root or ours.startswith(root.rstrip("/") + "/"):
            inside = ours[len(root.rstrip("/")) :].lstrip("/")
            return Path(_unescaped(mounted_at)) / inside
    return None


def _unescaped(path: str) -> str:
    """Undo the octal escapes of mountinfo."""
    return path.encode().decode("unicode_escape").encode("latin-1").decode()
