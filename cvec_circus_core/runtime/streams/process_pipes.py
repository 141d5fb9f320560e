"""The pipes of one process that is about to start: opened before it, read from then on."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.launch import Stdio
from cvec_circus_core.system.processes.pipes import pipes

STDOUT, STDERR = "stdout", "stderr"

OnPipe = Callable[[int, str, int], None]
"""Takes the reading end of a pipe: pid, channel, descriptor."""


class ProcessPipes:
    """The pipes of a process that is about to start, and whatever else it is to write to."""

    def __init__(self, on_pipe: OnPipe) -> None:
        self._on_pipe = on_pipe
        self._targets: dict[str, int] = {}
        self._reading: dict[str, int] = {}
        self._writing = ExitStack()

    def __enter__(self) -> ProcessPipes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the ends that belong to the child, and all of them where it did not start."""
        self._writing.close()
        for fd in self._reading.values():
            pipes.close(fd)
        self._reading.clear()

    @property
    def stdio(self) -> Stdio:
        """The descriptors that the process is to have."""
        return Stdio(stdout=self._targets.get(STDOUT), stderr=self._targets.get(STDERR))

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
        self._targets[channel] = fd

    @property
    def is_read(self) -> bool:
        """Whether anything that the process writes comes to us."""
        return bool(self._reading)

    def started(self, pid: int) -> None:
        """Read from now on what the process writes."""
        while self._reading:
            channel, fd = self._reading.popitem()
            self._on_pipe(pid, channel, fd)
