"""What a process uses, as numbers, in portions that cost differently.

Its *pulse* is the processor time that it has used so far, to the nanosecond: one system call, and
no file. Where the pulse is as it was, the process has not run, and hardly anything else can have
changed. Its *usage* is one small file that takes ten times as long to read. Its *details* hardly
ever change. Open descriptors and the shared parts of memory cost more than all the rest. Where
there is no /proc, psutil tells, some ten times as slowly.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

import psutil

from cvec_circus_core.system.proc import (
    HAS_PROC,
    count_descriptors,
    list_pids,
    read_or_none,
    read_stat,
)

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SECRET = -1.0
Read = TypeVar("Read")
_STATES = {
    b"R": "running",
    b"S": "sleeping",
    b"D": "disk-sleep",
    b"T": "stopped",
    b"t": "tracing-stop",
    b"I": "idle",
    b"W": "waking",
    b"P": "parked",
}


class Usage(NamedTuple):
    """What one look tells; None where we may not look. Seconds, bytes, Unix time."""

    name: str | None = None
    state: str | None = None
    parent: int | None = None
    used: float | None = None
    nice: int | None = None
    threads: int | None = None
    resident: int | None = None
    virtual: int | None = None
    created: float | None = None
    is_dead: bool = False


class Details(NamedTuple):
    """What hardly ever changes: the first word of the command line, and the real user."""

    command: str | None = None
    uid: int | None = None


class ProcessTable(Protocol):
    """The process table, read one process at a time."""

    def pids(self) -> list[int]:
        """Return the numbers of all processes."""

    def pulse(self, pid: int) -> float | None:
        """Return the processor seconds used so far; None if it is gone, -1 if that is secret."""

    def usage(self, pid: int) -> Usage | None:
        """Look at a process; None if it is gone."""

    def details(self, pid: int) -> Details:
        """Return what hardly ever changes."""

    def descriptors(self, pid: int) -> int | None:
        """Count the open descriptors."""

    def proportional(self, pid: int) -> int | None:
        """Return the memory with what is shared counted in parts (PSS)."""


def told_early() -> float:
    """Return by how many seconds the start of any process is told too early.

    Linux tells it from the start of the machine, and that in whole seconds (proc(5), btime).
    """
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return min(max(booted_at - psutil.boot_time(), 0.0), 1.0)


class ProcTable:
    """The process table as Linux shows it."""

    def __init__(self) -> None:
        self._booted_at = psutil.boot_time()

    def pids(self) -> list[int]:
        """Return the numbers of all processes."""
        return list_pids()

    def pulse(self, pid: int) -> float | None:
        """Return the processor seconds used so far; None if it is gone."""
        try:
            # The number of a process's clock, as clock_getcpuclockid(3) makes it.
            return time.clock_gettime((~pid << 3) | 2)
        except OSError:
            return None

    def usage(self, pid: int) -> Usage | None:
        """Look at a process; None if it is gone."""
        stat = read_stat(pid)
        if stat is None:
            return None
        words = stat.words
        return Usage(
            name=os.fsdecode(stat.name),
            state=_STATES.get(stat.state, "dead"),
            parent=int(words[1]),
            used=(int(words[11]) + int(words[12])) / _TICKS,
            nice=int(words[16]),
            threads=int(words[17]),
            resident=int(words[21]) * _PAGE,
            virtual=int(words[20]),
            created=self._booted_at + int(words[19]) / _TICKS,
            is_dead=stat.state in (b"Z", b"X"),
        )

    def details(self, pid: int) -> Details:
        """Return what hardly ever changes."""
        line = read_or_none(pid, "cmdline")
        return Details(_first_word(line), _real_uid(read_or_none(pid, "status")))

    def descriptors(self, pid: int) -> int | None:
        """Count the open descriptors."""
        return count_descriptors(pid)

    def proportional(self, pid: int) -> int | None:
        """Return the memory with what is shared counted in parts (PSS)."""
        _, separator, rest = (read_or_none(pid, "smaps_rollup") or b"").partition(b"\nPss:")
        return int(rest.split(None, 1)[0]) * 1024 if separator else None


def _first_word(line: bytes | None) -> str | None:
    # Some write a sentence where the program's name was ("nginx: worker process").
    words = (line or b"").partition(b"\0")[0].split()
    return os.path.basename(os.fsdecode(words[0])) if words else None


def _real_uid(status: bytes | None) -> int | None:
    _, separator, rest = (status or b"").partition(b"\nUid:\t")
    return int(rest.split(None, 1)[0]) if separator else None


class PsutilTable:
    """The process table as psutil shows it."""

    def pids(self) -> list[int]:
        """Return the numbers of all processes."""
        return psutil.pids()

    def pulse(self, pid: int) -> float | None:
        """Return the processor seconds used so far; None if it is gone, -1 if that is secret."""
        try:
            return float(sum(psutil.Process(pid).cpu_times()[:2]))
        except psutil.AccessDenied:
            return _SECRET
        except psutil.Error:
            return None

    def usage(self, pid: int) -> Usage | None:
        """Look at a process; None if it is gone."""
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                memory = _allowed(process.memory_info)
                return Usage(
                    name=_allowed(process.name),
                    state=_allowed(process.status),
                    parent=_allowed(process.ppid),
                    used=_allowed(lambda: sum(process.cpu_times()[:2])),
                    nice=_allowed(process.nice),
                    threads=_allowed(process.num_threads),
                    resident=memory and memory.rss,
                    virtual=memory and memory.vms,
                    created=_allowed(process.create_time),
                    is_dead=process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD),
                )
        except psutil.AccessDenied:
            return Usage()
        except psutil.Error:
            return None

    def details(self, pid: int) -> Details:
        """Return what hardly ever changes."""
        try:
            process = psutil.Process(pid)
            words = " ".join((_allowed(process.cmdline) or [])[:1]).split()
            uids = _allowed(process.uids)
        except psutil.Error:
            return Details()
        return Details(os.path.basename(words[0]) if words else None, uids and uids.real)

    def descriptors(self, pid: int) -> int | None:
        """Count the open descriptors."""
        return _asked(lambda: psutil.Process(pid).num_fds())

    def proportional(self, pid: int) -> int | None:
        """Return the memory with what is shared counted in parts, where psutil knows it."""
        return _asked(lambda: getattr(psutil.Process(pid).memory_full_info(), "pss", None))


def _allowed(read: Callable[[], Read]) -> Read | None:
    try:
        return read()
    except psutil.AccessDenied:
        return None


def _asked(read: Callable[[], int | None]) -> int | None:
    try:
        return read()
    except psutil.Error:
        return None


def choose_table() -> ProcessTable:
    """Return the cheapest table that this system has."""
    return ProcTable() if HAS_PROC else PsutilTable()
