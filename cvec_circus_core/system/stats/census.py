"""What processes use: the info objects of the ``stats`` command and of the stream of statistics.

`Census.take` and `Census.read` are plain functions that look at each process once, and into the
process table once for the children of all of them; in the daemon they are called in a worker
thread. What has not run since the last look is not read again, which is nearly everything where
most processes sleep.

CPU per cent is the time used since the last sample of the same process. Callers that ask more often
than every tenth of a second share a sample, because a shorter one says nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

import psutil

from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.system.accounts import user_name
from cvec_circus_core.system.processes.process_tree import ProcessTree
from cvec_circus_core.system.protocols import Clock
from cvec_circus_core.system.stats.info_texts import (
    UNREADABLE,
    cpu_time_text,
    or_unreadable,
    size_text,
    told_or_unreadable,
)
from cvec_circus_core.system.stats.usage import (
    Details,
    ProcessTable,
    Usage,
    choose_table,
    told_early,
)

GONE = "No such process (stopped?)"

Info = dict[str, Any]
"""One info object (spec: protocol, process info object), as it is sent."""

_SHORTEST = 0.1
_SAME_START = 1.0
"""The start of a process is counted from the machine's, which is corrected with the wall clock."""
_YOUNG = 5.0
_DETAILS_FOR, _DETAILS_OF_YOUNG_FOR = 30.0, 1.0
_USAGE_FOR = 5.0
"""Seconds for which the numbers of a process that does not run are taken to be the same: its memory
may be taken away, and its niceness be changed, while it sleeps."""


class ProcessSample(NamedTuple):
    """What was found of one process."""

    told: Info
    """What the info object says while nothing changes; the same object as long as that is so."""
    cpu: float | str
    age: float | str
    children_cpu: float
    children_rss: int


class _Known(Struct):
    """What was seen of one process at the last look."""

    usage: Usage
    usage_until: float = 0.0
    pulse: float = -1.0
    sampled_at: float | None = None
    percent: float | str = 0.0
    details: Details = field(default_factory=Details)
    details_until: float = float("-inf")
    look: int = 0
    """The number of the look that met it last."""
    told: Info = field(default_factory=dict)


class Census:
    """Looks at processes, and remembers what they had used at the last look."""

    def __init__(
        self, clock: Clock, *, remembered: int = 65_536, table: ProcessTable | None = None
    ) -> None:
        self._clock = clock
        self._remembered = remembered
        self._table = choose_table() if table is None else table
        self._told_early = told_early()
        # Read once, as the start of the machine is: ages go on when the clock is set meanwhile.
        self._wall_at_zero = clock.wall() - clock.now()
        self._memory = psutil.virtual_memory().total
        self._kin = ProcessTree()
        self._known: dict[int, _Known] = {}
        self._looks = 0
        self._lock = threading.Lock()

    def take(self, pids: Iterable[int], *, pss: bool = False) -> dict[int, Info | str]:
        """Return an info object for each pid, or the text `GONE`.

        The info objects of all descendants are in it. With ``pss`` the memory that is shared is
        counted in parts, too, which takes long.
        """
        with self._lock:
            look = self._look_at(pids, 0.0)
            infos: dict[int, Info | str] = {}
            for pid in look.wanted:
                info = self._info(pid, look)
                infos[pid] = GONE if info is None else info
                if info is not None:
                    info["children"] = self._children(pid, look, {pid})
                    if pss:
                        info["pss"] = or_unreadable(self._table.proportional(pid))
            return infos

    def read(
        self, pids: Iterable[int], *, pss: bool = False, kin_for: float = 0.0
    ) -> dict[int, ProcessSample]:
        """Return what is so of each process that there is.

        ``kin_for`` is for how many seconds we may go by what we know of who descends from whom.
        """
        with self._lock:
            look = self._look_at(pids, kin_for)
            readings = ((pid, self._reading(pid, look)) for pid in look.wanted)
            samples = {pid: reading for pid, reading in readings if reading is not None}
        if pss:
            for pid, reading in samples.items():
                size = or_unreadable(self._table.proportional(pid))
                samples[pid] = reading._replace(told={**reading.told, "pss": size})
        return samples

    def _look_at(self, pids: Iterable[int], kin_for: float) -> _Look:
        self._looks += 1
        now = self._clock.now()
        look = _Look(self._looks, now, now + self._wall_at_zero, list(pids))
        if look.wanted and look.now - self._kin.looked_at >= kin_for:
            self._look_around(look)
        while len(self._known) > self._remembered:
            del self._known[next(iter(self._known))]
        return look

    def _look_around(self, look: _Look) -> None:
        pids = self._table.pids()

        def parent_of(pid: int) -> int | None:
            if (process := self._known.get(pid)) is not None:
                return process.usage.parent
            usage = look.usages[pid] = self._table.usage(pid)
            return None if usage is None else usage.parent

        self._kin.look(look.wanted, pids, parent_of, look.now)
        for pid in self._known.keys() - frozenset(pids):
            del self._known[pid]

    def _info(self, pid: int, look: _Look) -> Info | None:
        reading = self._reading(pid, look)
        if reading is None:
            return None
        info, cpu, age, children_cpu, children_rss = reading
        return {
            **info,
            "cpu": cpu,
            "age": age,
            "children": [],
            "children_cpu": children_cpu,
            "children_rss": children_rss,
        }

    def _children(self, pid: int, look: _Look, met: set[int]) -> list[Info]:
        """Return the info objects of all descendants, each in its parent's."""
        infos = []
        for child in self._kin.children.get(pid, ()):
            # Numbers may be used again while we look: nobody is met twice.
            if child not in met and (info := self._info(child, look)) is not None:
                met.add(child)
                info["children"] = self._children(child, look, met)
                infos.append(info)
        return infos

    def _reading(self, pid: int, look: _Look) -> ProcessSample | None:
        process = self._sampled(pid, look)
        if process is None:
            return None
        cpu, resident = 0.0, 0
        if pid in self._kin.children:
            for descendant in self._kin.below((pid,)):
                if (below := self._sampled(descendant, look)) is not None:
                    cpu += below.percent if isinstance(below.percent, float) else 0.0
                    resident += below.usage.resident or 0
        created = process.usage.created
        age: float | str = UNREADABLE
        if created is not None:
            age = round(max(0.0, look.wall - created - self._told_early), 2)
        return ProcessSample(process.told, process.percent, age, round(cpu, 1), resident)

    def _sampled(self, pid: int, look: _Look) -> _Known | None:
        """Return what is so of a process now; None if it is gone, or dead and only not reaped."""
        process = self._known.get(pid)
        if process is not None and process.look == look.number:
            return process
        pulse = self._table.pulse(pid)
        if pulse is None:
            process = None
        elif process is None or pulse != process.pulse or look.now >= process.usage_until:
            process = self._known_anew(pid, process, look)
        if pulse is None or process is None:
            self._known.pop(pid, None)
            return None
        process.look = look.number
        _measure(process, pulse, look.now)
        return process

    def _known_anew(self, pid: int, process: _Known | None, look: _Look) -> _Known | None:
        """Read all that is due; None where nobody lives."""
        usage = look.usages[pid] if pid in look.usages else self._table.usage(pid)
        if usage is None or usage.is_dead:
            return None
        if process is None or not _is_same(usage, process.usage):
            # Put in last, so that the first is the one that was met first.
            self._known.pop(pid, None)
            process = self._known[pid] = _Known(usage)
        process.usage, process.usage_until = usage, look.now + _USAGE_FOR
        if look.now >= process.details_until:
            process.details = self._table.details(pid)
            is_young = look.wall - (usage.created or 0.0) < _YOUNG
            # Not all at the same look.
            rest = _DETAILS_OF_YOUNG_FOR if is_young else _DETAILS_FOR + pid % 16
            process.details_until = look.now + rest
        info = self._info_of(pid, process, look)
        if info != process.told:
            process.told = info
        return process

    def _info_of(self, pid: int, known: _Known, look: _Look) -> Info:
        usage, memory = known.usage, self._memory
        return {
            "pid": pid,
            "cmdline": or_unreadable(known.details.command or usage.name),
            "username": told_or_unreadable(look.name_of, known.details.uid),
            "nice": or_unreadable(usage.nice),
            "mem": told_or_unreadable(lambda size: round(100 * size / memory, 3), usage.resident),
            "mem_info1": told_or_unreadable(size_text, usage.resident),
            "mem_info2": told_or_unreadable(size_text, usage.virtual),
            "ctime": told_or_unreadable(cpu_time_text, usage.used),
            "create_time": or_unreadable(usage.created),
            "rss": or_unreadable(usage.resident),
            "vms": or_unreadable(usage.virtual),
            "cpu_time": or_unreadable(usage.used),
            "threads": or_unreadable(usage.threads),
            "fds": or_unreadable(self._table.descriptors(pid)),
            "state": or_unreadable(usage.state),
        }


def _measure(process: _Known, pulse: float, now: float) -> None:
    if pulse < 0:
        process.percent = UNREADABLE
        return
    if process.sampled_at is None:
        process.percent = 0.0
    elif now - process.sampled_at < _SHORTEST:
        return
    elif pulse == process.pulse:
        process.percent = 0.0
    else:
        used = max(0.0, pulse - process.pulse)
        process.percent = round(100 * used / (now - process.sampled_at), 1)
    process.pulse, process.sampled_at = pulse, now


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
    wanted: list[int]
    usages: dict[int, Usage | None] = field(default_factory=dict)
    """What was read of the process table already."""
    names: dict[int, str] = field(default_factory=dict)

    def name_of(self, uid: int) -> str:
        """Return a user's name, looked up once."""
        if uid not in self.names:
            self.names[uid] = user_name(uid)
        return self.names[uid]
