"""The pipes of one process that is about to start: opened before it, read from then on."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.values import replace
from cvec_circus_core.system.processes.pipes import pipes

STDOUT, STDERR = "stdout", "stderr"

OnPipe = Callable[[int, str, int], None]
"""Takes the reading end of a pipe: pid, channel, descriptor."""


class ProcessPipes:
    """The pipes of a process that is about to start."""

    def __init__(self, plan: LaunchPlan, on_pipe: OnPipe) -> None:
        self.plan = plan
        self._on_pipe = on_pipe
        self._reading: dict[str, int] = {}
        self._writing = ExitStack()

    def __enter__(self) -> ProcessPipes:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ends that belong to the child, and all of them where it did not start."""
        self._writing.close()
        for fd in self._reading.values():
            pipes.close(fd)
        self._reading.clear()

    def open(self, channel: str) -> None:
        """Open a pipe. Raises `SystemProblem`."""
        try:
            reading, writing = pipes.open()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SystemProblem(f"no pipe for its {channel}: {reason}") from error
        self._writing.callback(os.close, writing)
        self._reading[channel] = reading
        self.redirect(channel, writing)

    def redirect(self, channel: str, fd: int) -> None:
        """Have the process write to a descriptor."""
        if channel == STDOUT:
            self.plan = replace(self.plan, stdout=fd)
        else:
            self.plan = replace(self.plan, stderr=fd)

    @property
    def is_read(self) -> bool:
        """Whether anything that the process writes comes to us."""
        return bool(self._reading)

    def started(self, pid: int) -> None:
        """Read from now on what the process writes."""
        while self._reading:
            channel, fd = self._reading.popitem()
            self._on_pipe(pid, channel, fd)
