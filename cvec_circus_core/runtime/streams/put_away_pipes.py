"""Pipes that have said nothing so far, put away together (`silent_pipes.py`), and their owners."""

from __future__ import annotations

import select
from collections.abc import Mapping, Sequence

from cvec_circus_core.runtime.streams.kept_pipe import KeptPipe
from cvec_circus_core.system.processes.silent_pipes import SilentPipes, silent_pipes


class PutAwayPipes:
    """The pipes that are put away, by the numbers that they have there."""

    def __init__(self) -> None:
        self._silent: SilentPipes | None = None
        self._by_number: dict[int, KeptPipe] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def put(self, waiting: select.epoll, by_fd: Mapping[int, KeptPipe]) -> Sequence[int]:
        """Put pipes away, and return the descriptors of those that are; ``waiting`` hears of them.

        Their old descriptors are still open.
        """
        if self._silent is None:
            self._silent = silent_pipes()
            if self._silent is None:
                return ()
            waiting.register(self._silent.epoll.fileno(), select.EPOLLIN)
        descriptors = tuple(by_fd)
        numbers = self._silent.put(descriptors)
        pairs = zip(descriptors, numbers, strict=False)
        self._by_number |= {number: by_fd[fd] for fd, number in pairs}
        return descriptors[: len(numbers)]

    def poll(self) -> Sequence[int]:
        """Return the numbers of those that something has happened to."""
        return () if self._silent is None else self._silent.poll()

    def take(self, numbers: Sequence[int]) -> tuple[list[tuple[int, KeptPipe]], list[KeptPipe]]:
        """Return pipes by their new descriptors, and those that are lost and closed."""
        if self._silent is None:
            return [], []
        descriptors = self._silent.take(numbers)
        taken = [self._by_number.pop(number) for number in numbers]
        return list(zip(descriptors, taken, strict=False)), taken[len(descriptors) :]

    def drop_all(self) -> list[KeptPipe]:
        """Close all, and return whose they were."""
        dropped = list(self._by_number.values())
        if self._silent is not None:
            self._silent.drop(tuple(self._by_number))
        self._by_number.clear()
        return dropped

    def close(self) -> None:
        """Give up the place where they are put away, in which there is none any more."""
        if self._silent is not None:
            self._silent.close()
            self._silent = None
