"""An owner of processes and sockets in a process of its own.

Run as ``python -m tests.contracts.owner FD``. It serves one client over a socketpair, and ends when
the client is gone. Nothing but this file and its client know that it is not in the same process: it
proves that nobody else has to.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from cvec_circus_core.model.bind_plan import BindPlan
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.system.net.owned_sockets import OwnedSockets
from cvec_circus_core.system.processes.local import choose_processes
from cvec_circus_core.system.protocols import Scope, SignalResult, SpawnResult
from tests.contracts import wire


class Owner:
    """Carries out what the client asks for, and tells what becomes of it."""

    def __init__(self, channel: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self._channel = channel
        self._loop = loop
        self._sockets = OwnedSockets(loop)
        self._processes = choose_processes(loop, sockets=self._sockets)
        self._watches: dict[int, Callable[[], None]] = {}
        self.is_over = loop.create_future()
        loop.add_reader(channel.fileno(), self._on_readable)

    def _on_readable(self) -> None:
        try:
            (verb, *arguments), descriptors = wire.receive(self._channel)
        except (EOFError, ConnectionError):
            self._loop.remove_reader(self._channel.fileno())
            self._processes.close()
            self._sockets.close_all()
            self.is_over.set_result(None)
            return
        getattr(self, f"do_{verb}")(*arguments, descriptors=descriptors)

    def _tell(self, *message: Any) -> None:
        try:
            wire.send(self._channel, message)
        except OSError:
            return  # The client is gone: so are we, as soon as that is read.

    def do_spawn(
        self,
        number: int,
        plan: dict[str, Any],
        streams: tuple[str, ...],
        *,
        descriptors: tuple[int, ...],
    ) -> None:
        def on_spawned(result: SpawnResult) -> None:
            self._tell("spawned", number, result.pid, result.problem, result.is_shortage)

        def on_exit(pid: int, end: Exit) -> None:
            self._tell("exited", pid, end.code, end.left_behind)

        stdio = wire.stdio_from_data(streams, descriptors)
        self._processes.spawn(wire.plan_from_data(plan), stdio, on_spawned, on_exit)
        wire.close_all(descriptors)

    def _on_signalled(self, number: int, result: SignalResult) -> None:
        self._tell("signalled", number, result.was_there, result.problem)

    def do_signal(
        self, number: int, pid: int, signum: int, scope: str, *, descriptors: tuple[int, ...]
    ) -> None:
        tell = partial(self._on_signalled, number)
        self._processes.signal(pid, signum, Scope[scope], tell)

    def do_signal_child(
        self, number: int, pid: int, child_pid: int, signum: int, *, descriptors: tuple[int, ...]
    ) -> None:
        tell = partial(self._on_signalled, number)
        self._processes.signal_child(pid, child_pid, signum, tell)

    def do_signal_when_idle(
        self,
        number: int,
        pid: int,
        signum: int,
        scope: str,
        served: tuple[list[int], list[str]],
        patience: float,
        *,
        descriptors: tuple[int, ...],
    ) -> None:
        tell = partial(self._on_signalled, number)
        self._processes.signal_when_idle(
            pid, signum, Scope[scope], wire.served_from_data(served), patience, tell
        )

    def do_tell_when_serving(
        self,
        number: int,
        pid: int,
        served: tuple[list[int], list[str]],
        *,
        descriptors: tuple[int, ...],
    ) -> None:
        tell = lambda pid: self._tell("serving", number, pid)  # noqa: E731 - it says what it is
        self._processes.tell_when_serving(pid, wire.served_from_data(served), tell)

    def do_kill_leftovers(
        self, number: int, pid: int, signum: int, grace: float, *, descriptors: tuple[int, ...]
    ) -> None:
        gone = lambda root: self._tell("gone", number, root)  # noqa: E731 - it says what it is
        self._processes.kill_leftovers(pid, signum, grace, gone)

    def do_kill_orphans(
        self, number: int, signum: int, grace: float, *, descriptors: tuple[int, ...]
    ) -> None:
        gone = lambda root: self._tell("gone", number, root)  # noqa: E731 - it says what it is
        self._processes.kill_orphans(signum, grace, gone)

    def do_refuse_spawns(self, *, descriptors: tuple[int, ...]) -> None:
        self._processes.refuse_spawns()

    def do_open(self, plan: dict[str, Any], *, descriptors: tuple[int, ...]) -> None:
        try:
            opened = self._sockets.open(BindPlan(**plan))
        except CannotBind as error:
            self._tell("refused", str(error))
        else:
            self._tell("answer", wire.opened_to_data(opened))

    def do_adjust(self, name: str, plan: dict[str, Any], *, descriptors: tuple[int, ...]) -> None:
        try:
            opened = self._sockets.adjust(name, BindPlan(**plan))
        except CannotBind as error:
            self._tell("refused", str(error))
        else:
            self._tell("answer", wire.opened_to_data(opened))

    def do_keep(self, number: int, *, descriptors: tuple[int, ...]) -> None:
        self._sockets.keep(number)
        self._tell("answer", None)

    def do_discard(self, number: int, *, descriptors: tuple[int, ...]) -> None:
        self._sockets.discard(number)
        self._tell("answer", None)

    def do_close(self, name: str, *, descriptors: tuple[int, ...]) -> None:
        self._sockets.close(name)
        self._tell("answer", None)

    def do_close_all(self, *, descriptors: tuple[int, ...]) -> None:
        self._sockets.close_all()
        self._tell("answer", None)

    def do_watch(self, number: int, name: str, *, descriptors: tuple[int, ...]) -> None:
        # One word is enough for as long as nobody accepts: the client watches anew if it wants.
        def on_connection() -> None:
            self._watches.pop(number)()
            self._tell("connected", number)

        self._watches[number] = self._sockets.watch(name, on_connection)

    def do_unwatch(self, number: int, *, descriptors: tuple[int, ...]) -> None:
        if number in self._watches:
            self._watches.pop(number)()
        self._tell("answer", None)


async def serve(channel: socket.socket) -> None:
    """Serve a client until it is gone."""
    await Owner(channel, asyncio.get_running_loop()).is_over


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as own_end:
        asyncio.run(serve(own_end))
