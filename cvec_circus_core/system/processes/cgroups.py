"""Control groups: the one sure way to find all descendants of a process (Linux, cgroup v2).

Whatever a process does (new sessions, double forks), its children stay in its group, and writing to
``cgroup.kill`` ends them all at once. No controller is switched on: the groups only hold names.

A child enters its leaf by itself, between fork and exec: moved from outside, it could fork first,
and what it forked would stay outside for ever. That forbids vfork, so a contained spawn costs
several times as much as another, and is done only where the plan asks for it.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

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

    def has(self, pid: int) -> bool:
        """Tell whether a process, living or dead but not reaped, is in it."""
        try:
            groups = Path(f"/proc/{pid}/cgroup").read_text()
        except OSError:
            return False
        return f"/{self._folder.parent.name}/{self._folder.name}\n" in groups

    def entrance(self) -> int:
        """Open what a process writes "0" to in order to enter. Raises OSError."""
        return os.open(self._folder / "cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)

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

    def new_leaf(self) -> Leaf | None:
        """Make a group for one process; None where that can not be."""
        folder = self._prepared()
        if folder is None:
            return None
        self._count += 1
        place = folder / str(self._count)
        try:
            place.mkdir()
        except OSError as error:
            self._give_up(error.strerror or str(error))
            return None
        return Leaf(place)

    def check(self, leaf: Leaf, pid: int) -> bool:
        """Tell whether a process has entered its group; if not, groups do not work here."""
        if leaf.has(pid):
            return True
        leaf.remove()
        self._give_up("processes can not enter them")
        return False

    def close(self) -> None:
        """Take away what is empty."""
        if self._folder is None:
            return
        _remove_tree(self._folder)
        self._folder = None

    def _prepared(self) -> Path | None:
        if self._folder is None and self._usable and self._home is not None:
            folder = self._home / f"circus-{os.getpid()}"
            try:
                folder.mkdir(exist_ok=True)
            except OSError as error:
                self._give_up(error.strerror or str(error))
                return None
            self._folder = folder
            _remove_empty(self._home)
        return self._folder if self._usable else None

    def _give_up(self, reason: str) -> None:
        log.info("control groups are not used (%s); descendants are looked for instead", reason)
        self._usable = False


def _remove_tree(folder: Path) -> None:
    for place in folder.glob("*/"):
        Leaf(place).remove()
    Leaf(folder).remove()


def _remove_empty(home: Path) -> None:
    """Take away what daemons that were killed have left, as far as nobody is in it."""
    for folder in home.glob("circus-*/"):
        pid = folder.name.removeprefix("circus-")
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}"):
            _remove_tree(folder)


def own_group(proc: Path = Path("/proc/self")) -> Path | None:
    """Return the folder of the version 2 group that we are in; None if there is no such tree."""
    try:
        mounts = (proc / "mountinfo").read_text().split("\n")
        groups = (proc / "cgroup").read_text().split("\n")
    except OSError:
        return None
    ours = next((line[3:] for line in groups if line.startswith("0::/")), None)
    if ours is None:
        return None
    for line in mounts:
        mount, _, kind = line.partition(" - ")
        if kind.split(" ", 1)[0] != "cgroup2":
            continue
        root, mounted_at = mount.split(" ")[3:5]
        if ours == root or ours.startswith(root.rstrip("/") + "/"):
            inside = ours[len(root.rstrip("/")) :].lstrip("/")
            return Path(_unescaped(mounted_at)) / inside
    return None


def _unescaped(path: str) -> str:
    """Undo the octal escapes of mountinfo."""
    return path.encode().decode("unicode_escape").encode("latin-1").decode()
