"""What processes use, and whether it is too much or too little: pure, for ResourceWatcher.

The daemon tells what each process has used so far; the share of a processor is the difference of
two looks. It could be had from the daemon as well, but there it is the share since anybody's last
look, and somebody may look every second.

A *subject* is what one verdict is about: a watcher, one of its processes, or a child of one. Its
high is what is held against upper limits, its low what is held against lower ones. They differ
only for a watcher as the older system sees it: the most that any process uses, and the least.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cvec_circus_core import api
from cvec_circus_core.api import Kind

UNREADABLE = "N/A"
ALL_OF_IT = 100.0
"""What counts for a figure that may not be read, as in the older system."""

_CPU_TIME = re.compile(r"(\d+):(\d+(?:\.\d+)?)")
_AN_HOUR = 3600.0
"""The minutes of a CPU time begin anew after so many seconds."""
_SIZE = re.compile(r"([\d.]+)\s*(?:([KMGTPEZY])(?:I?B)?|B)", re.IGNORECASE)
_UNITS = "KMGTPEZY"

PERCENT_OF, BYTES = "percent", "bytes"


@dataclass(frozen=True, slots=True)
class Memory:
    """An amount of memory: percent of the machine's, or bytes."""

    amount: float
    in_bytes: bool = False

    def __str__(self) -> str:
        """Say it as it is written."""
        return format_amount(self.amount, self.unit)

    @property
    def unit(self) -> str:
        """What the amount counts."""
        return BYTES if self.in_bytes else PERCENT_OF


@dataclass(frozen=True, slots=True)
class Load:
    """What is used: percent of one processor and of the memory, and bytes; None if not known."""

    cpu: float | None
    memory: float | None
    size: float | None

    def used(self, limit: Memory) -> float | None:
        """Return the memory in the unit of a limit."""
        return self.size if limit.in_bytes else self.memory

    @property
    def health(self) -> float | None:
        """The mean of processor and memory."""
        if self.cpu is None or self.memory is None:
            return None
        return (self.cpu + self.memory) / 2


@dataclass(frozen=True, slots=True)
class Subject:
    """What one verdict is about."""

    high: Load
    low: Load
    pid: int | None = None
    """The process; None where it is about all of a watcher's."""
    wid: int | None = None
    child: int | None = None
    """Pid of the child that it is about."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one limit was kept; whether it was broken is None where nothing is known yet."""

    limit: str
    broken: bool | None
    value: float | None
    allowed: float
    unit: str = PERCENT_OF


@dataclass(frozen=True, slots=True)
class Limits:
    """What processes may use, and have to."""

    max_cpu: float | None = None
    min_cpu: float | None = None
    max_memory: Memory | None = None
    min_memory: Memory | None = None
    health: float | None = None

    def verdicts(self, of: Subject) -> Iterator[Verdict]:
        """Hold a subject against each limit that is set."""
        if self.max_cpu is not None:
            yield _above("over_cpu", of.high.cpu, self.max_cpu)
        if self.min_cpu is not None:
            yield _below("under_cpu", of.low.cpu, self.min_cpu)
        if (most := self.max_memory) is not None:
            yield _above("over_memory", of.high.used(most), most.amount, most.unit)
        if (least := self.min_memory) is not None:
            yield _below("under_memory", of.low.used(least), least.amount, least.unit)
        if self.health is not None:
            yield _above("over_health", of.high.health, self.health)


def _above(limit: str, value: float | None, most: float, unit: str = PERCENT_OF) -> Verdict:
    return Verdict(limit, None if value is None else value > most, value, most, unit)


def _below(limit: str, value: float | None, least: float, unit: str = PERCENT_OF) -> Verdict:
    return Verdict(limit, None if value is None else value <= least, value, least, unit)


class UsageMeter:
    """Reads info objects, and remembers what each process had used at the look before."""

    def __init__(self, *, with_children: bool = False) -> None:
        self._with_children = with_children
        self._before: dict[tuple[Any, Any], tuple[float, float]] = {}
        self._now: dict[tuple[Any, Any], tuple[float, float]] = {}

    def begin(self) -> None:
        """Begin a look: what the last one has not seen is forgotten."""
        self._before, self._now = self._now, {}

    def load(self, info: Mapping[str, Any], now: float) -> Load:
        """Return what a process uses, with all that it has started where that is wanted."""
        own = self._own(info, now)
        if not self._with_children:
            return own
        return total([own, *(self.load(child, now) for child in children(info))])

    def _own(self, info: Mapping[str, Any], now: float) -> Load:
        memory, size = info.get("mem"), info.get("mem_info1")
        return Load(
            cpu=self._cpu(info, now),
            memory=ALL_OF_IT if memory == UNREADABLE else _number(memory),
            size=read_size(str(size)),
        )

    def _cpu(self, info: Mapping[str, Any], now: float) -> float | None:
        cpu_seconds = _seconds(info.get("ctime"))
        if cpu_seconds is None or info.get("cpu") == UNREADABLE:
            return ALL_OF_IT
        key = info.get("pid"), info.get("create_time")
        if key not in self._now:  # A child may be looked at twice.
            self._now[key] = cpu_seconds, now
        if key not in self._before or self._before[key][1] >= now:
            return None
        seconds_before, measured_at = self._before[key]
        return 100 * ((cpu_seconds - seconds_before) % _AN_HOUR) / (now - measured_at)


def children(info: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the info objects of a process's children."""
    return (child for child in info.get("children", ()) if isinstance(child, Mapping))


def total(loads: Iterable[Load]) -> Load:
    """Add up what is known."""
    return _combined(loads, sum)


def watcher_subject(loads: Iterable[Load]) -> Subject:
    """Return the watcher as a subject: the most that any process uses, and the least."""
    known_loads = tuple(loads)
    return Subject(_combined(known_loads, max), _combined(known_loads, min))


def process_subject(
    load: Load, pid: int | None = None, wid: int | None = None, child: int | None = None
) -> Subject:
    """Return a subject that uses one and the same."""
    return Subject(load, load, pid, wid, child)


def _combined(loads: Iterable[Load], combine: Callable[[list[float]], float]) -> Load:
    columns = zip(*((load.cpu, load.memory, load.size) for load in loads), strict=True)
    figures = [[amount for amount in column if amount is not None] for column in columns]
    cpu, memory, size = (combine(column) if column else None for column in figures or [[]] * 3)
    return Load(cpu, memory, size)


def read_size(text: str) -> float | None:
    """Return the bytes of a size such as 1.40M, or None where it is none."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        return None
    try:
        number = float(match[1])
    except ValueError:
        return None
    return number * 1024 ** (_UNITS.index(match[2].upper()) + 1) if match[2] else number


def format_amount(amount: float | None, unit: str) -> str:
    """Say an amount as it is written in a file."""
    if amount is None:
        return "?"
    if unit == PERCENT_OF:
        return f"{round(amount, 1):g}%"
    power = next((n for n in range(len(_UNITS), 0, -1) if amount >= 1024**n), 0)
    return f"{round(amount / 1024**power, 2):.12g}{_UNITS[power - 1] if power else 'B'}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _seconds(text: object) -> float | None:
    match = _CPU_TIME.fullmatch(str(text))
    return None if match is None else 60 * int(match[1]) + float(match[2])


_MEMORY = "a percentage, or a size with a unit such as 512M"


def _parse_memory(text: str) -> Memory:
    size = read_size(text)
    if size is not None:
        return Memory(size, in_bytes=True)
    try:
        percent = float(text.strip().removesuffix("%"))
    except ValueError:
        raise ValueError(_MEMORY) from None
    return _check_memory(percent)


def _check_memory(value: object) -> Memory:
    if isinstance(value, Memory):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e30:
        raise ValueError(_MEMORY)
    return Memory(float(value))


def limit(kind: Kind) -> Kind:
    """Return the kind that takes the word ``none`` as well, for no limit."""
    also = f"{kind.allowed}, or none"
    return Kind(
        kind.name,
        also,
        lambda text: None if text.strip().lower() in ("", "none") else kind.parse(text),
        lambda value: None if value is None else kind.check(value),
        kind.show,
    )


PERCENT = limit(api.at_least(api.NUMBER, 0))
MEMORY = limit(Kind("memory", _MEMORY, _parse_memory, _check_memory, str))
