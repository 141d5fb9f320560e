"""The descriptors of one process that is about to start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cvec_circus_core.model.launch import LaunchPlan, Stdio


class LaunchFiles(NamedTuple):
    """Open descriptors, by what the child has them as; all of them stay the caller's."""

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None
    numbered: tuple[int, ...] = ()
    """The child keeps these under the same numbers."""
    listening: tuple[int, ...] = ()
    """The child gets these as 3, 4 and so on."""

    def all(self) -> Iterator[int]:
        """Yield every one of them."""
        yield from (fd for fd in (self.stdin, self.stdout, self.stderr) if fd is not None)
        yield from self.numbered
        yield from self.listening


NO_FILES = LaunchFiles()


def files_of(plan: LaunchPlan, stdio: Stdio, numbers: Mapping[str, int]) -> LaunchFiles:
    """Return what a process gets: the caller's descriptors, and the sockets that its plan names."""
    if not numbers:
        return LaunchFiles(stdio.stdin, stdio.stdout, stdio.stderr)
    stdin = stdio.stdin
    if plan.stdin_socket is not None:
        stdin = numbers[plan.stdin_socket]
    return LaunchFiles(
        stdin,
        stdio.stdout,
        stdio.stderr,
        tuple(numbers[name] for name in plan.numbered_sockets),
        tuple(numbers[name] for name in plan.listen_sockets),
    )
