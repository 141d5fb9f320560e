"""The state file: which processes a daemon has, for the start after one that was killed.

It is a text that grows at its end, one short write for each process that begins or ends, and is
written anew when most of it is past. Nothing waits for the disk: what the kernel has taken survives
us, and a machine that loses its power has no processes left to be found.

A line ``daemon`` tells who writes from there on: the boot of the machine, the pid namespace, and
what all its spawn tags have in common. ``+`` is a process with the time when it was started, its
tag, and whose it is; ``-`` is the end of one, ``~`` of our charge of one. A line that is not whole
counts for nothing. What is found by it is proved by pid *and* start time, in the same boot.

Its holder has a lock on it, which the kernel drops with the process. The file must be ours, and
nobody else's to write: it names whom we may kill.
"""

from __future__ import annotations

import fcntl
import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.text import escaped
from cvec_circus_core.system.proc import read_or_none
from cvec_circus_core.system.processes.process_table import read_row
from cvec_circus_core.system.processes.spawn_tags import daemon_of
from cvec_circus_core.system.processes.start_times import StartTimes
from cvec_circus_core.system.trusted_paths import Spot, hold

log = logging.getLogger(__name__)

_FIRST_LINE = "circus-state 1"
DAEMON_TITLE = "0"
"""The title of the daemon itself, where it is the child of a keeper."""
_PAST_AT_MOST = 1024
"""Lines that say nothing any more, beside as many as there are processes."""
_TITLE = 4
"""Words before the title, which may hold blanks."""
_OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK


class Recorded(NamedTuple):
    """A process in a state file."""

    pid: int
    started: float
    tag: int
    title: str
    """Whose it is: the wid and the watcher's name."""

    @property
    def watcher(self) -> str:
        """The key of the watcher that has it."""
        return self.title.partition(" ")[2]

    @property
    def wid(self) -> int:
        """Its number within the watcher."""
        return int(self.title.partition(" ")[0])


@dataclass(slots=True)
class Records:
    """What a state file says of the present boot and pid namespace."""

    daemons: set[int] = field(default_factory=set)
    """What the spawn tags of each daemon have in common."""
    processes: dict[int, Recorded] = field(default_factory=dict)
    spared: set[int] = field(default_factory=set)
    """Tags of those that were left running on purpose."""
    last_tags: dict[int, int] = field(default_factory=dict)
    """The last tag that was recorded of each daemon."""

    def add(self, words: list[str]) -> None:
        """Take one line. Raises ValueError for one that makes no sense."""
        match words:
            case ["+", pid, started, tag, title]:
                process = Recorded(int(pid), float(started), int(tag), title)
                self.processes[process.pid] = process
                self.last_tags[daemon_of(process.tag)] = process.tag
            case ["-", pid]:
                self.processes.pop(int(pid), None)
            case ["~", pid, tag]:
                self.processes.pop(int(pid), None)
                self.spared.add(int(tag))
            case _:
                raise ValueError


class SpawnRecord:
    """Is told of the processes that a daemon has; this one notes nothing."""

    def expect(self) -> None:
        """Learn that a process is about to be started."""

    def began(self, pid: int, tag: int | None, title: str) -> None:
        """Note a process that was just started."""

    def ended(self, pid: int) -> None:
        """Note that a process has ended."""

    def spare(self, pid: int) -> None:
        """Note that a process is to go on whatever becomes of the daemon."""


NO_RECORD = SpawnRecord()


def _nobody_cares() -> None:
    pass


class StateFile(SpawnRecord):
    """A state file that we hold."""

    def __init__(self, path: str, fd: int) -> None:
        self._path = path
        self._fd = fd
        self._records = Records()
        self._count = 0
        """Lines in the file."""
        self._has_failed = False
        self._start_times = StartTimes()
        self.on_renewed: Callable[[], None] = _nobody_cares
        """Is called when the file has become another one."""

    @classmethod
    def resumed(cls, path: str, fd: int) -> StateFile:
        """Return the file of an owner before us, whose processes we have now."""
        state = cls(path, fd)
        records = state._records = state.read()
        records.processes = {process.pid: process for process in living_in(records)}
        state._rewrite()
        return state

    @property
    def path(self) -> str:
        """Where it is."""
        return self._path

    @property
    def descriptor(self) -> int:
        """The file, with our lock on it."""
        return self._fd

    @property
    def records(self) -> Records:
        """What we have written, or an owner before us."""
        return self._records

    @classmethod
    def acquire(cls, path: str) -> StateFile | None:
        """Lock a state file, made where it is not there; None where a daemon holds it.

        Raises `SystemProblem` where it can not be used.
        """
        try:
            while True:
                with hold(path, follow=False) as spot:
                    fd = _open(spot)
                    try:
                        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        if os.path.samestat(os.fstat(fd), spot.look()):
                            return cls(path, fd)
                    except BlockingIOError:
                        os.close(fd)
                        return None
                    except FileNotFoundError:
                        pass  # Its holder took it away while we locked it.
                    os.close(fd)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SystemProblem(f"the state file {path} can not be used: {reason}") from None

    def hand_on(self) -> tuple[str, int]:
        """Let it pass exec; return its path and its descriptor."""
        os.set_inheritable(self._fd, True)
        return self._path, self._fd

    def read(self) -> Records:
        """Return what it says of processes that may live."""
        with open(os.dup(self._fd), encoding="utf-8", errors="replace") as file:
            file.seek(0)
            return _read(file)

    def begin(self) -> None:
        """Forget what it said, and write what we do from now on."""
        self._rewrite()

    def expect(self) -> None:
        """Learn that a process is about to be started."""
        self._start_times.expect()

    def began(self, pid: int, tag: int | None, title: str) -> None:
        """Note a process that was just started."""
        started = self._start_times.of(pid)
        if started is None:
            return
        process = Recorded(pid, started, tag or 0, title)
        self._records.processes[pid] = process
        head = 0 if tag is None else daemon_of(tag)
        if head and head not in self._records.daemons:
            self._records.daemons.add(head)
            self._append(_daemon_line(head))
        self._append(_line_of(process))

    def ended(self, pid: int) -> None:
        """Note that a process has ended."""
        if self._records.processes.pop(pid, None) is not None:
            self._append(f"- {pid}\n")

    def spare(self, pid: int) -> None:
        """Note that a process is to go on whatever becomes of us."""
        process = self._records.processes.pop(pid, None)
        if process is not None:
            self._records.spared.add(process.tag)
            self._append(f"~ {pid} {process.tag}\n")

    def release(self) -> None:
        """Take the file away: we leave nobody."""
        try:
            with hold(self._path, follow=False) as spot:
                if os.path.samestat(os.fstat(self._fd), spot.look()):
                    spot.remove()
        except (OSError, SystemProblem):
            pass  # The folder may be gone; the lock is what counts.
        os.close(self._fd)

    def _append(self, line: str) -> None:
        self._count += 1
        if self._count > 2 * len(self._records.processes) + _PAST_AT_MOST:
            self._rewrite()
            return
        try:
            os.write(self._fd, line.encode())
        except OSError as error:
            self._complain(error)

    def _rewrite(self) -> None:
        records = self._records
        lines = [f"{_FIRST_LINE}\n", *map(_daemon_line, records.daemons or {0})]
        lines += map(_line_of, records.processes.values())
        lines += (f"~ 0 {tag}\n" for tag in records.spared)
        self._count = len(lines)
        try:
            with hold(self._path, follow=False) as spot:
                fresh = spot.named(f".{spot.name}.new")
                fd = _open(fresh)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.ftruncate(fd, 0)
                    os.write(fd, "".join(lines).encode())
                    fresh.rename(spot.name)
                except BaseException:
                    os.close(fd)
                    raise
        except (OSError, SystemProblem) as error:
            self._complain(error)
            return
        os.dup2(fd, self._fd, inheritable=False)
        os.close(fd)
        self._has_failed = False
        self.on_renewed()

    def _complain(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            log.warning("the state file %s can not be written: %s", self._path, error)


def living_in(records: Records) -> Iterator[Recorded]:
    """Yield the processes of a record that live, and are the same as then."""
    for process in records.processes.values():
        row = read_row(process.pid)
        if row is not None and row.started == process.started and not row.is_dead:
            yield process


def _open(spot: Spot) -> int:
    """Open a file that nobody else may write. Raises OSError, `SystemProblem`."""
    if spot.is_open_to_all and not spot.is_sticky:
        raise SystemProblem(f"the state file {spot.path} is in a folder where all may replace it")
    fd = spot.open(_OPEN, 0o600)
    found = os.fstat(fd)
    is_plain = stat.S_ISREG(found.st_mode) and found.st_nlink <= 1
    if is_plain and found.st_uid == os.geteuid() and not found.st_mode & 0o022:
        return fd
    os.close(fd)
    raise SystemProblem(f"the state file {spot.path} is not a plain file that only we may write")


def _read(lines: Iterator[str]) -> Records:
    records, is_here = Records(), False
    if next(lines, "").rstrip("\n") != _FIRST_LINE:
        return records
    surroundings = [*_surroundings()]
    for line in lines:
        words = line.rstrip("\n").split(" ", _TITLE) if line.endswith("\n") else []
        try:
            match words:
                case ["daemon", boot, namespace, head]:
                    is_here = [boot, namespace] == surroundings
                    if is_here and int(head):
                        records.daemons.add(int(head))
                case _ if is_here:
                    records.add(words)
        except ValueError:
            continue
    return records


def _surroundings() -> tuple[str, str]:
    """Return what a pid means nothing without: this boot, and our pid namespace."""
    boot = read_or_none("sys", "kernel/random/boot_id") or b"-"
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = "-"
    return boot.decode().strip(), namespace


def _daemon_line(head: int) -> str:
    boot, namespace = _surroundings()
    return f"daemon {boot} {namespace} {head}\n"


def _line_of(process: Recorded) -> str:
    return f"+ {process.pid} {process.started!r} {process.tag} {escaped(process.title)}\n"
