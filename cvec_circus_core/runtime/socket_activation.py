"""Who waits for a connection, and where: one reader of the event loop for each awaited socket.

The reader is gone as soon as somebody knocks, so that a connection which nobody has accepted yet
does not keep the loop busy.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class _Waiter:
    loop: AbstractEventLoop
    names: tuple[str, ...]
    then: Callable[[], None]


class ActivationListener:
    """The doors by name, and those who listen at them."""

    def __init__(self) -> None:
        self._doors: dict[str, int] = {}
        self._waiters: dict[str, list[_Waiter]] = {}
        self._reading: dict[str, Callable[[], object]] = {}

    def open(self, name: str, fd: int) -> None:
        """Take in a socket, in the place of one of the same name: waiters go on waiting."""
        self.shut(name)
        self._doors[name] = fd
        self._read(name)

    def shut(self, name: str) -> None:
        """Stop reading a socket, before it is closed."""
        self._doors.pop(name, None)
        self._stop(name)

    def wait(
        self, loop: AbstractEventLoop, names: Iterable[str], then: Callable[[], None]
    ) -> Callable[[], None]:
        """Call back once, when somebody knocks at one of these; return what ends the waiting."""
        waiter = _Waiter(loop, tuple(dict.fromkeys(names)), then)
        for name in waiter.names:
            self._waiters.setdefault(name, []).append(waiter)
            self._read(name)
        return lambda: self._forget(waiter)

    def _read(self, name: str) -> None:
        waiters, fd = self._waiters.get(name), self._doors.get(name)
        if not waiters or fd is None or name in self._reading:
            return
        loop, number = waiters[0].loop, fd
        loop.add_reader(number, self._knocked, name)
        self._reading[name] = lambda: loop.remove_reader(number)

    def _stop(self, name: str) -> None:
        if stop := self._reading.pop(name, None):
            stop()

    def _knocked(self, name: str) -> None:
        for waiter in tuple(self._waiters.get(name, ())):
            self._forget(waiter)
            waiter.then()

    def _forget(self, waiter: _Waiter) -> None:
        for name in waiter.names:
            there = self._waiters.get(name, [])
            if waiter in there:
                there.remove(waiter)
            if not there:
                self._waiters.pop(name, None)
                self._stop(name)
