"""What processes use: the info objects of the ``stats`` command.

`Census.take` is a plain function that reads files for each process, so it is called in a worker
thread. The children of all of them come from one reading of the process table, not from one per
process.

CPU per cent is the time used since the last sample of the same process. Callers that ask more often
than every tenth of a second share a sample, because a shorter one says nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import psutil

from cvec_circus_core.system.accounts import user_name
from cvec_circus_core.system.protocols import Clock
from cvec_circus_core.system.table import read_table
from cvec_circus_core.system.usage import Usage, read_usage

GONE = "No such process (stopped?)"
UNREADABLE = "N/A"

Info = dict[str, Any]
"""One info object (spec: protocol, process info object), as it is sent."""

_SHORTEST = 0.1
_SAME_START = 1.0
"""The start of a process is counted from the machine's, which is corrected with the wall clock."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Sample:
    created: float
    used: float
    at: float
    percent: float


class Census:
    """Looks at processes, and remembers what they had used at the last look."""

    def __init__(self, clock: Clock, *, remembered: int = 32_768) -> None:
        self._clock = clock
        self._remembered = remembered
        self._memory = psutil.virtual_memory().total
        self._samples: dict[int, _Sample] = {}
        self._lock = threading.Lock()

    def take(self, pids: Iterable[int], *, children: bool = True) -> dict[int, Info | str]:
        """Return an info object for each pid, or the text `GONE`."""
        wanted = list(pids)
        families = _families() if children and wanted else {}
        with self._lock:
            look = _Look(psutil.boot_time(), self._clock.now(), self._clock.wall(), {})
            return {pid: self._one(pid, look, families) for pid in wanted}

    def _one(self, pid: int, look: _Look, families: Mapping[int, list[int]]) -> Info | str:
        usage = read_usage(pid, look.booted_at)
        if usage is None:
            self._samples.pop(pid, None)
            return GONE
        below = (self._one(child, look, families) for child in families.get(pid, ()))
        created, resident, memory = usage.created, usage.resident, self._memory
        return {
            "pid": pid,
            "cmdline": _or_unreadable(usage.command),
            "username": _told(look.name_of, usage.uid),
            "nice": _or_unreadable(usage.nice),
            "cpu": self._percent(pid, usage, look.now),
            "mem": _told(lambda size: round(100 * size / memory, 3), resident),
            "mem_info1": _told(size_text, resident),
            "mem_info2": _told(size_text, usage.virtual),
            "ctime": _told(cpu_time_text, usage.used),
            "create_time": _or_unreadable(created),
            "age": _told(lambda at: max(0.0, look.wall - at), created),
            "children": [child for child in below if isinstance(child, dict)],
        }

    def _percent(self, pid: int, usage: Usage, now: float) -> float | str:
        used, created = usage.used, usage.created
        if used is None or created is None:
            return UNREADABLE
        last = self._samples.pop(pid, None)
        if last is None or abs(last.created - created) > _SAME_START:
            sample = _Sample(created, used, now, 0.0)
        elif now - last.at < _SHORTEST:
            sample = last
        else:
            percent = round(100 * max(0.0, used - last.used) / (now - last.at), 1)
            sample = _Sample(created, used, now, percent)
        # Put in last, so that the first is the one not asked for the longest.
        self._samples[pid] = sample
        if len(self._samples) > self._remembered:
            del self._samples[next(iter(self._samples))]
        return sample.percent


@dataclass(frozen=True, slots=True)
class _Look:
    """What is the same for all processes of one look."""

    booted_at: float
    now: float
    wall: float
    names: dict[int, str]

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


def _families() -> dict[int, list[int]]:
    families: dict[int, list[int]] = {}
    for row in read_table().values():
        families.setdefault(row.parent, []).append(row.pid)
    return families
