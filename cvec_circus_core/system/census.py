"""What processes use: the info objects of the ``stats`` command and of the stream of statistics.

`Census.take` is a plain function that reads a small file for each process, so in the daemon it is
called in a worker thread. One look reads each process once, and the process table once for the
children of all of them. What has not changed since the last look is not worked out again, which is
most of it where most processes sleep.

CPU per cent is the time used since the last sample of the same process. Callers that ask more often
than every tenth of a second share a sample, because a shorter one says nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import psutil

from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.system.accounts import user_name
from cvec_circus_core.system.kinship import Kinship
from cvec_circus_core.system.protocols import Clock
from cvec_circus_core.system.usage import Details, Glimpse, Table, Usage, choose_table

GONE = "No such process (stopped?)"
UNREADABLE = "N/A"

Info = dict[str, Any]
"""One info object (spec: protocol, process info object), as it is sent."""

_SHORTEST = 0.1
_SAME_START = 1.0
"""The start of a process is counted from the machine's, which is corrected with the wall clock."""
_YOUNG = 5.0
_DETAILS_FOR, _DETAILS_OF_YOUNG_FOR = 30.0, 1.0
_DESCRIPTORS_FOR = 5.0
"""Seconds for which the number of a process that did nothing meanwhile is taken to be the same."""

_T = TypeVar("_T")


class _Known(Struct):
    """What was seen of one process at the last look."""

    glimpse: Glimpse = None
    usage: Usage = field(default_factory=Usage)
    details: Details = field(default_factory=Details)
    details_until: float = float("-inf")
    descriptors: int | None = None
    descriptors_until: float = float("-inf")
    sampled_used: float | None = None
    sampled_at: float = 0.0
    looked_at_by: int = 0
    """The number of the look that met it last."""
    percent: float | str = 0.0
    told: Info = field(default_factory=dict)
    """What the info object says while nothing changes."""


class Census:
    """Looks at processes, and remembers what they had used at the last look."""

    def __init__(
        self, clock: Clock, *, remembered: int = 65_536, table: Table | None = None
    ) -> None:
        self._clock = clock
        self._remembered = remembered
        self._table = choose_table() if table is None else table
        self._memory = psutil.virtual_memory().total
        self._kin = Kinship()
        self._known: dict[int, _Known] = {}
        self._looks = 0
        self._lock = threading.Lock()

    def take(
        self,
        pids: Iterable[int],
        *,
        children: bool = True,
        pss: bool = False,
        kin_for: float = 0.0,
    ) -> dict[int, Info | str]:
        """Return an info object for each pid, or the text `GONE`.

        The info objects of all descendants are in it where ``children`` says so. ``kin_for`` is for
        how many seconds we may go by what we know of who descends from whom.
        """
        wanted = list(pids)
        with self._lock:
            self._looks += 1
            look = _Look(self._looks, self._clock.now(), self._clock.wall())
            if wanted and look.now - self._kin.looked_at >= kin_for:
                self._look_around(wanted, look)
            found: dict[int, Info | str] = {}
            for pid in wanted:
                info = self._info(pid, look)
                if info is not None:
                    self._add_kin(pid, info, look, listed=children)
                    if pss:
                        info["pss"] = _or_unreadable(self._table.proportional(pid))
                found[pid] = GONE if info is None else info
            self._forget_some()
            return found

    def _look_around(self, roots: list[int], look: _Look) -> None:
        pids = self._table.pids()

        def parent_of(pid: int) -> int | None:
            glimpse = look.glimpses[pid] = self._table.glimpse(pid)
            return None if glimpse is None else self._table.usage(glimpse).parent

        self._kin.look(roots, pids, parent_of, look.now)
        for pid in self._known.keys() - frozenset(pids):
            del self._known[pid]

    def _info(self, pid: int, look: _Look) -> Info | None:
        known = self._sampled(pid, look)
        if known is None:
            return None
        created = known.usage.created
        return {
            **known.told,
            "cpu": known.percent,
            "age": UNREADABLE if created is None else max(0.0, look.wall - created),
            "children": [],
        }

    def _add_kin(self, pid: int, info: Info, look: _Look, *, listed: bool) -> None:
        cpu, resident = 0.0, 0
        if below := self._kin.below((pid,)):
            for one in below:
                if (known := self._sampled(one, look)) is not None:
                    cpu += known.percent if isinstance(known.percent, float) else 0.0
                    resident += known.usage.resident or 0
            if listed:
                info["children"] = self._children(pid, look, {pid})
        info["children_cpu"] = round(cpu, 1)
        info["children_rss"] = resident

    def _children(self, pid: int, look: _Look, met: set[int]) -> list[Info]:
        """Return the info objects of all descendants, each in its parent's."""
        found = []
        for child in self._kin.children.get(pid, ()):
            # Numbers may be used again while we look: nobody is met twice.
            if child not in met and (info := self._info(child, look)) is not None:
                met.add(child)
                info["children"] = self._children(child, look, met)
                found.append(info)
        return found

    def _sampled(self, pid: int, look: _Look) -> _Known | None:
        """Return what is so of a process now; None if it is gone, or dead and only not reaped."""
        known = self._known.get(pid)
        if known is not None and known.looked_at_by == look.number:
            return known
        glimpse = look.glimpses[pid] if pid in look.glimpses else self._table.glimpse(pid)
        usage = None if glimpse is None else self._usage(glimpse, known)
        if usage is None or usage.is_dead:
            self._known.pop(pid, None)
            return None
        if known is None or not _is_same(usage, known.usage):
            # Put in last, so that the first is the one not met for the longest.
            self._known.pop(pid, None)
            known = self._known[pid] = _Known()
        is_changed = usage is not known.usage
        known.glimpse, known.usage, known.looked_at_by = glimpse, usage, look.number
        if self._look_closer(pid, known, look, is_changed=is_changed) or is_changed:
            known.told = self._told(pid, known, look)
        _measure(known, look.now)
        return known

    def _usage(self, glimpse: Glimpse, known: _Known | None) -> Usage:
        if known is not None and glimpse == known.glimpse:
            return known.usage
        return self._table.usage(glimpse)

    def _look_closer(self, pid: int, known: _Known, look: _Look, *, is_changed: bool) -> bool:
        """Read what is expensive, where it is time for it; tell whether it was."""
        looked = False
        if look.now >= known.details_until:
            known.details = self._table.details(pid)
            is_young = look.wall - (known.usage.created or 0.0) < _YOUNG
            # Not all at the same look.
            rest = _DETAILS_OF_YOUNG_FOR if is_young else _DETAILS_FOR + pid % 16
            known.details_until, looked = look.now + rest, True
        if is_changed or look.now >= known.descriptors_until:
            known.descriptors = self._table.descriptors(pid)
            known.descriptors_until, looked = look.now + _DESCRIPTORS_FOR, True
        return looked

    def _told(self, pid: int, known: _Known, look: _Look) -> Info:
        usage, memory = known.usage, self._memory
        return {
            "pid": pid,
            "cmdline": _or_unreadable(known.details.command or usage.name),
            "username": _told(look.name_of, known.details.uid),
            "nice": _or_unreadable(usage.nice),
            "mem": _told(lambda size: round(100 * size / memory, 3), usage.resident),
            "mem_info1": _told(size_text, usage.resident),
            "mem_info2": _told(size_text, usage.virtual),
            "ctime": _told(cpu_time_text, usage.used),
            "create_time": _or_unreadable(usage.created),
            "rss": _or_unreadable(usage.resident),
            "vms": _or_unreadable(usage.virtual),
            "cpu_time": _or_unreadable(usage.used),
            "threads": _or_unreadable(usage.threads),
            "fds": _or_unreadable(known.descriptors),
            "state": _or_unreadable(usage.state),
        }

    def _forget_some(self) -> None:
        while len(self._known) > self._remembered:
            del self._known[next(iter(self._known))]


def _measure(known: _Known, now: float) -> None:
    used, last = known.usage.used, known.sampled_used
    if used is None:
        known.percent = UNREADABLE
    elif last is None:
        known.percent = 0.0
    elif now - known.sampled_at < _SHORTEST:
        return
    else:
        known.percent = round(100 * max(0.0, used - last) / (now - known.sampled_at), 1)
    known.sampled_used, known.sampled_at = used, now


def _is_same(usage: Usage, last: Usage) -> bool:
    if usage is last:
        return True
    if usage.created is None or last.created is None:
        return usage.created is last.created
    return abs(usage.created - last.created) <= _SAME_START


class _Look(Struct):
    """What is the same for all processes of one look."""

    number: int
    now: float
    wall: float
    glimpses: dict[int, Glimpse | None] = field(default_factory=dict)
    """What was read of the process table already."""
    names: dict[int, str] = field(default_factory=dict)

    def name_of(self, uid: int) -> str:
        """Return a user's name, looked up once."""
        if uid not in self.names:
            self.names[uid] = user_name(uid)
        return self.names[uid]


def size_text(size: float) -> str:
    """Say a number of bytes as ``512B`` or ``1.40M``."""
    if size < 1024:
        return f"{int(size)}B"
    for unit in "KMGT":
        size /= 1024
        if size < 1024 or unit == "T":
            break
    return f"{size:.2f}{unit}"


def cpu_time_text(seconds: float) -> str:
    """Say CPU time as minutes, seconds and hundredths: ``0:01.25``."""
    hundredths = int(seconds * 100 + 0.5)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _or_unreadable(value: _T | None) -> _T | str:
    return UNREADABLE if value is None else value


def _told(tell: Callable[[_T], Any], value: _T | None) -> Any:
    return UNREADABLE if value is None else tell(value)
