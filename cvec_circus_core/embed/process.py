"""`Process`: one process on its own, no watcher and no event loop needed (spec: library, §4)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import BinaryIO

from cvec_circus_core.config.mappings import watcher_from_mapping
from cvec_circus_core.model.errors import CannotSpawn, UnknownProcess
from cvec_circus_core.model.launch import LaunchPlan, Stdio
from cvec_circus_core.policy.launch import SpawnEnvironment, prepare
from cvec_circus_core.system.clock import SystemClock
from cvec_circus_core.system.processes.single import SingleProcess
from cvec_circus_core.system.protocols import Scope
from cvec_circus_core.system.stats.census import Census


class ProcessStatus(IntEnum):
    """What a process is doing, as far as its parent knows."""

    RUNNING = 0
    DEAD_OR_ZOMBIE = 1
    UNEXISTING = 2
    OTHER = 3


RUNNING = ProcessStatus.RUNNING
DEAD_OR_ZOMBIE = ProcessStatus.DEAD_OR_ZOMBIE
UNEXISTING = ProcessStatus.UNEXISTING
OTHER = ProcessStatus.OTHER

CENSUS = Census(SystemClock())
"""Shared by all library objects of this process."""


class Process:
    """Starts a process and knows how it fares.

    ``wid`` replaces ``$WID`` in the command. The environment is inherited, and ``env`` added to
    it. Standard output and error are pipes unless ``pipe_stdout`` and ``pipe_stderr`` say no.
    The older form ``Process(name, wid, cmd)`` is understood, too. Raises `CannotSpawn` where the
    process can not be started, `BadMessage` for a value that can not be used.
    """

    def __init__(
        self,
        wid: int | str,
        cmd: str | int,
        args: Sequence[str] | str | None = None,
        working_dir: str | None = None,
        shell: bool = False,
        uid: int | str | None = None,
        gid: int | str | None = None,
        env: Mapping[str, str] | None = None,
        rlimits: Mapping[str, int | None] | None = None,
        executable: str | None = None,
        *,
        name: str | None = None,
        spawn: bool = True,
        pipe_stdout: bool = True,
        pipe_stderr: bool = True,
        close_child_stdin: bool = True,
    ) -> None:
        if isinstance(cmd, int) and isinstance(args, str):
            name, wid, cmd, args = str(wid), cmd, args, None
        values = {
            "cmd": cmd,
            "args": args,
            "working_dir": working_dir,
            "shell": shell,
            "uid": uid,
            "gid": gid,
            "env": env,
            "executable": executable,
            "close_child_stdin": close_child_stdin,
            **{f"rlimit_{limit}": value for limit, value in (rlimits or {}).items()},
        }
        options = {key: value for key, value in values.items() if value is not None}
        self.name = name or str(wid)
        self.wid = wid
        self._slot = wid if isinstance(wid, int) else str(wid)
        self._spec = watcher_from_mapping(self.name, options)
        self._pipes = (pipe_stdout, pipe_stderr)
        self._single: SingleProcess | None = None
        self.stdout: BinaryIO | None = None
        self.stderr: BinaryIO | None = None
        self.stopping = False
        if spawn:
            self.spawn()

    def spawn(self) -> None:
        """Start it, if it is not started yet. Raises `CannotSpawn`."""
        if self._single is not None and self._single.poll() is None:
            return
        ends = [os.pipe() if has_pipe else None for has_pipe in self._pipes]
        try:
            stdout, stderr = (end[1] if end else None for end in ends)
            self._single = SingleProcess(self._plan(), Stdio(stdout=stdout, stderr=stderr))
        except BaseException:
            _close(end[0] for end in ends if end)
            raise
        finally:
            _close(end[1] for end in ends if end)
        self.stdout, self.stderr = (os.fdopen(end[0], "rb") if end else None for end in ends)

    def _plan(self) -> LaunchPlan:
        around = SpawnEnvironment(environ=dict(os.environ))
        try:
            return prepare(self._spec, around).for_slot(self._slot)
        except ValueError as error:
            raise CannotSpawn(str(error)) from None

    def format_args(self) -> tuple[str, ...]:
        """Return the words of the command line, variables replaced."""
        return self._plan().argv

    @property
    def pid(self) -> int:
        """The pid. Raises `UnknownProcess` before the spawn."""
        return self._started.pid

    @property
    def started(self) -> float:
        """Monotonic seconds of the spawn."""
        return self._started.started_at

    @property
    def status(self) -> ProcessStatus:
        """What it is doing."""
        if self._single is None:
            return UNEXISTING
        if self._single.is_zombie():
            return DEAD_OR_ZOMBIE
        return RUNNING if self._single.poll() is None else UNEXISTING

    def age(self) -> float:
        """Return its age in seconds."""
        return self._started.age()

    def poll(self) -> int | None:
        """Return the exit code (minus the signal number), or None while it runs."""
        return self._started.poll()

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self.status is RUNNING

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end, for so many seconds at most; return the exit code or None."""
        return self._started.wait(timeout)

    def returncode(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self.poll()

    def stop(self) -> None:
        """Ask it to end by SIGTERM, wait, and close the pipes; it is killed if it stays."""
        if self._single is not None:
            self.stopping = True
            self._single.signal(signal.SIGTERM)
            if self._single.wait(self._spec.graceful_timeout) is None:
                self._single.signal(signal.SIGKILL, Scope.TREE)
                self._single.wait()
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()

    def send_signal(self, sig: int) -> None:
        """Send it a signal. Raises `SystemProblem`."""
        self._started.signal(sig)

    def children(self, recursive: bool = False) -> list[int]:
        """Return the pids of its children, or of all descendants."""
        return self._started.children(recursive=recursive)

    def is_child(self, pid: int) -> bool:
        """Tell whether a pid is a child of it."""
        return pid in self.children()

    def send_signal_child(self, pid: int, signum: int) -> None:
        """Send a signal to one child. Raises `UnknownProcess`."""
        if not self._started.signal_child(pid, signum):
            raise UnknownProcess(pid, self.name)

    def send_signal_children(self, signum: int, recursive: bool = False) -> None:
        """Send a signal to its children, or to all descendants."""
        self._started.signal_below(signum, recursive=recursive)

    def info(self) -> object:
        """Return the info object (spec: protocol, 5.3), or a text when it is gone."""
        pid = self.pid
        self.poll()
        return CENSUS.take([pid])[pid]

    @property
    def _started(self) -> SingleProcess:
        if self._single is None:
            raise UnknownProcess(0, self.name)
        return self._single

    def __lt__(self, other: Process) -> bool:
        return self.started < other.started


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
