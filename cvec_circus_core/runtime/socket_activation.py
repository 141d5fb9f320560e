"""Who waits for a connection, and at which managed sockets: one watch for each awaited socket.

The watch is over as soon as a connection comes, so that one which nobody has accepted yet does not
keep the loop busy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from cvec_circus_core.model.values import Struct

Watch = Callable[[str, Callable[[], None]], Callable[[], None]]
"""Calls back while somebody waits at a socket; returns what ends that (`Sockets.watch`)."""


class _Waiter(Struct, eq=False):
    names: tuple[str, ...]
    on_connection: Callable[[], None]


class ActivationListener:
    """The sockets by name, and those who wait for a connection at them."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._sockets: set[str] = set()
        self._waiters: dict[str, list[_Waiter]] = {}
        self._watched: dict[str, Callable[[], None]] = {}

    def add(self, name: str) -> None:
        """Take in a socket, in the place of one of the same name: waiters go on waiting."""
        self.remove(name)
        self._sockets.add(name)
        self._begin(name)

    def remove(self, name: str) -> None:
        """Watch a socket no more, before it is closed."""
        self._sockets.discard(name)
        self._end(name)

    def wait(self, names: Iterable[str], on_connection: Callable[[], None]) -> Callable[[], None]:
        """Call back once, when somebody connects to one of these; return what ends the waiting."""
        waiter = _Waiter(tuple(dict.fromkeys(names)), on_connection)
        for name in waiter.names:
            self._waiters.setdefault(name, []).append(waiter)
            self._begin(name)
        return lambda: self._forget(waiter)

    def _begin(self, name: str) -> None:
        if name in self._sockets and name in self._waiters and name not in self._watched:
            self._watched[name] = self._watch(name, lambda: self._on_connection(name))

    def _end(self, name: str) -> None:
        if end := self._watched.pop(name, None):
            end()

    def _on_connection(self, name: str) -> None:
        for waiter in tuple(self._waiters.get(name, ())):
            self._forget(waiter)
            waiter.on_connection()

    def _forget(self, waiter: _Waiter) -> None:
        for name in waiter.names:
            waiters = self._waiters.get(name, [])
            if waiter in waiters:
                waiters.remove(waiter)
            if not waiters:
                self._waiters.pop(name, None)
                self._end(name)
