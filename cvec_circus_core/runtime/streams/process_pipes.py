"""The pipes of one process that is about to start: opened before it, read from then on."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.launch import Channel, LaunchPlan, Stdio
from cvec_circus_core.system.processes.pipes import pipes

log = logging.getLogger(__name__)

STDOUT, STDERR = "stdout", "stderr"

OnPipe = Callable[[int, str, int], None]
"""Takes the reading end of a pipe: pid, channel, descriptor."""


class ProcessPipes:
    """The pipes of a process that is about to start, and whatever else it is to write to."""

    def __init__(self, on_pipe: OnPipe, on_kept: OnPipe, owner: int | str | None = None) -> None:
        self._owner = owner
        self._on_pipe = on_pipe
        self._on_kept = on_kept
        self._targets: dict[str, int] = {}
        self._reading: dict[str, int] = {}
        self._kept: list[tuple[str, int]] = []
        self._writing: list[int] = []

    def __enter__(self) -> ProcessPipes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the ends that belong to the child, and all of them where it did not start."""
        for fd in self._writing:
            os.close(fd)
        self._writing.clear()
        for fd in (*self._reading.values(), *(fd for _, fd in self._kept)):
            pipes.close(fd)
        self._reading.clear()
        self._kept.clear()

    @property
    def stdio(self) -> Stdio:
        """The descriptors that the process is to have."""
        return Stdio(stdout=self._targets.get(STDOUT), stderr=self._targets.get(STDERR))

    def open(self, channel: str) -> None:
        """Open a pipe. Raises `SystemProblem`."""
        try:
            reading, writing = pipes.open(owner=self._owner)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SystemProblem(f"no pipe for its {channel}: {reason}") from error
        self._writing.append(writing)
        self._reading[channel] = reading
        self.redirect(channel, writing)

    def keep(self, channels: Iterable[str]) -> None:
        """Open pipes for output that is only kept; where that is not possible, it is not."""
        try:
            for channel in channels:
                reading, writing = pipes.open(blocks=True, owner=self._owner)
                self._kept.append((channel, reading))
                self._writing.append(writing)
                self.redirect(channel, writing)
        except OSError as error:
            log.debug("no pipe to keep output: %s", error)

    def redirect(self, channel: str, fd: int) -> None:
        """Have the process write to a descriptor."""
        self._targets[channel] = fd

    def join_stderr(self, plan: LaunchPlan) -> None:
        """Have standard error go where standard output goes, into the same pipe if it is one."""
        if STDOUT in self._targets:
            self.redirect(STDERR, self._targets[STDOUT])
        elif plan.stdout is Channel.INHERIT:
            self.redirect(STDERR, 1)

    @property
    def reading(self) -> dict[str, int]:
        """The reading ends, by channel."""
        return {**self._reading, **dict(self._kept)}

    @property
    def is_read(self) -> bool:
        """Whether anything that the process writes comes to us."""
        return bool(self._reading or self._kept)

    def started(self, pid: int) -> None:
        """Read from now on what the process writes."""
        while self._kept:
            channel, fd = self._kept.pop()
            self._on_kept(pid, channel, fd)
        while self._reading:
            channel, fd = self._reading.popitem()
            self._on_pipe(pid, channel, fd)
