"""Managed sockets of this process: opened, kept and lent to the processes that are started here.

Of a socket with so_reuseport each process gets one of its own, made just before the process. What
is kept here of it holds the place: bound, so that a mistake shows at once and any free port is one
and the same for all, but without listening, so that no connection ends here. A datagram would end
here even so; those sockets are tried out and not kept.
"""

from __future__ import annotations

import os
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.system.net.sockets import CircusSocket


class OwnedSockets:
    """Opens the managed sockets and keeps them by name."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._kept: dict[str, CircusSocket] = {}
        self._aside: dict[int, CircusSocket] = {}
        """Opened and not kept yet, by number."""

    def open(self, plan: BindPlan) -> OpenSocket:
        """Open a socket beside those that are kept. Raises `CannotBind`."""
        opened = self._opened(plan)
        self._aside[opened.fileno()] = opened
        return _as_data(opened)

    def keep(self, number: int) -> None:
        """Keep a socket that was opened, in the place of the one of the same name."""
        opened = self._aside.pop(number)
        opened.take_place()
        old = self._kept.pop(opened.name, None)
        self._kept[opened.name] = opened
        if old is not None:
            old.close()

    def adopt(self, plan: BindPlan, opened: OpenSocket) -> None:
        """Keep a socket that another owner has opened, whose descriptor is ours now."""
        self._kept[opened.name] = CircusSocket.inherited(plan, opened)

    def inodes(self) -> frozenset[int]:
        """Return what tells the kept sockets from all others."""
        return frozenset(os.fstat(kept.fileno()).st_ino for kept in self._kept.values())

    def discard(self, number: int) -> None:
        """Close a socket that was opened and not kept."""
        self._aside.pop(number).close()

    def adjust(self, name: str, plan: BindPlan) -> OpenSocket:
        """Take what a plan says of the queue and the file. Raises `CannotBind`."""
        kept = self._kept[name]
        kept.adjust(plan)
        return _as_data(kept)

    def close(self, name: str) -> None:
        """Close a kept socket."""
        self._kept.pop(name).close()

    def watch(self, name: str, on_connection: Callable[[], None]) -> Callable[[], None]:
        """Call back while somebody waits to be accepted at a kept socket."""
        number = self._kept[name].fileno()
        self._loop.add_reader(number, on_connection)

        def end() -> None:
            self._loop.remove_reader(number)

        return end

    def close_all(self) -> None:
        """Close all, kept or not."""
        for opened in (*self._aside.values(), *self._kept.values()):
            opened.close()
        self._aside.clear()
        self._kept.clear()

    @contextmanager
    def lend(self, names: Iterable[str]) -> Iterator[Mapping[str, int]]:
        """Give the descriptors that one process gets, for as long as it takes to start it.

        Raises `CannotBind` where one of its own can not be had, `KeyError` for an unknown name.
        """
        with ExitStack() as stack:
            numbers: dict[str, int] = {}
            for name in names:
                kept = self._kept[name]
                if kept.plan.so_reuseport:
                    kept = stack.enter_context(_listening(kept.plan._replace(port=kept.port)))
                numbers[name] = kept.fileno()
            yield numbers

    def _opened(self, plan: BindPlan) -> CircusSocket:
        if not plan.so_reuseport:
            return _listening(plan, self._kept.get(plan.name))
        trial = CircusSocket.of(plan)
        try:
            trial.bind_only()
        except CannotBind:
            trial.close()
            raise
        if trial.listens:
            return trial
        unbound = CircusSocket.of(plan)
        unbound.host, unbound.port = trial.host, trial.port
        trial.close()
        return unbound


def _listening(plan: BindPlan, beside: CircusSocket | None = None) -> CircusSocket:
    opened = CircusSocket.of(plan)
    try:
        if beside is not None and opened.path is not None and opened.path == beside.path:
            opened.bind_aside()
        else:
            opened.bind_and_listen()
    except CannotBind:
        opened.close()
        raise
    return opened


def _as_data(opened: CircusSocket) -> OpenSocket:
    return OpenSocket(
        opened.name,
        opened.fileno(),
        opened.host,
        opened.port,
        opened.path,
        opened.backlog,
        opened.listens,
    )
