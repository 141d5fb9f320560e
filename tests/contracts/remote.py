"""The client side of an owner in another process (`owner.py`): both ports over a socketpair."""

from __future__ import annotations

import socket
import subprocess
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan, Served, Stdio
from cvec_circus_core.system.protocols import (
    OnExit,
    OnGone,
    OnServing,
    OnSignalled,
    OnSpawned,
    Scope,
    SignalResult,
    SpawnResult,
    ignore_result,
)
from tests.contracts import wire

LIMIT = 30.0
_SYNCHRONOUS = ("answer", "refused")


class Connection:
    """The socketpair, the process at its other end, and who waits for which answer."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        self._loop = loop
        self._channel, other_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(LIMIT)
        number = other_end.fileno()
        self._owner = subprocess.Popen(
            [sys.executable, "-m", "tests.contracts.owner", str(number)], pass_fds=(number,)
        )
        other_end.close()
        self._count = 0
        self._waiting: dict[int, Callable[..., None]] = {}
        self._exits: dict[int, OnExit] = {}
        self._early: list[wire.Message] = []
        loop.add_reader(self._channel.fileno(), self._on_readable)

    @property
    def alive(self) -> frozenset[int]:
        """Who was started and has not ended, as far as we were told."""
        return frozenset(self._exits)

    def tell(self, *message: Any, descriptors: tuple[int, ...] = ()) -> None:
        """Send a message that needs no answer at once."""
        wire.send(self._channel, message, descriptors)

    def ask(self, *message: Any) -> Any:
        """Send a message and wait for its answer; what comes before it is told later."""
        self.tell(*message)
        while True:
            (verb, *arguments), _ = wire.receive(self._channel)
            if verb == "refused":
                raise CannotBind(arguments[0])
            if verb == "answer":
                return arguments[0]
            self._early.append((verb, *arguments))
            self._loop.call_soon(self._deliver_early)

    def number_for(self, then: Callable[..., None]) -> int:
        """Return the number by which an answer will be known."""
        self._count += 1
        self._waiting[self._count] = then
        return self._count

    def expect_exit(self, pid: int, on_exit: OnExit) -> None:
        """Have the end of a process told."""
        self._exits[pid] = on_exit

    def forget(self, number: int) -> None:
        """Expect no answer any more."""
        self._waiting.pop(number, None)

    def close(self) -> None:
        """Let the owner end, and wait for that."""
        self._loop.remove_reader(self._channel.fileno())
        self._channel.close()
        assert self._owner.wait(LIMIT) == 0
        self._waiting.clear()
        self._exits.clear()

    def _on_readable(self) -> None:
        message, _ = wire.receive(self._channel)
        self._deliver_early()
        self._deliver(message)

    def _deliver_early(self) -> None:
        early, self._early = self._early, []
        for message in early:
            self._deliver(message)

    def _deliver(self, message: wire.Message) -> None:
        verb, *arguments = message
        if verb == "exited":
            pid, code, left_behind = arguments
            self._exits.pop(pid)(pid, Exit(code, left_behind=left_behind))
            return
        number, *rest = arguments
        then = self._waiting.pop(number, None)
        if then is not None:
            then(*rest)


class RemoteProcesses:
    """`Processes` whose owner is another process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def spawn(self, plan: LaunchPlan, stdio: Stdio, on_spawned: OnSpawned, on_exit: OnExit) -> None:
        """Have a process started."""

        def answered(pid: int | None, problem: str, is_shortage: bool) -> None:
            if pid is not None:
                self._connection.expect_exit(pid, on_exit)
            on_spawned(SpawnResult(pid, problem, is_shortage))

        number = self._connection.number_for(answered)
        streams, descriptors = wire.stdio_to_data(stdio)
        data = wire.plan_to_data(plan)
        self._connection.tell("spawn", number, data, streams, descriptors=descriptors)

    def _number(self, on_signalled: OnSignalled) -> int:
        return self._connection.number_for(
            lambda was_there, problem: on_signalled(SignalResult(was_there, problem))
        )

    def signal(
        self,
        pid: int,
        signum: int,
        scope: Scope = Scope.PROCESS,
        on_signalled: OnSignalled = ignore_result,
    ) -> None:
        """Have a signal sent."""
        self._connection.tell("signal", self._number(on_signalled), pid, int(signum), scope.name)

    def signal_child(
        self, pid: int, child_pid: int, signum: int, on_signalled: OnSignalled = ignore_result
    ) -> None:
        """Have a signal sent to a child."""
        number = self._number(on_signalled)
        self._connection.tell("signal_child", number, pid, child_pid, int(signum))

    def signal_when_idle(
        self,
        pid: int,
        signum: int,
        scope: Scope,
        served: Served,
        patience: float,
        on_signalled: OnSignalled = ignore_result,
    ) -> None:
        """Have a signal sent at a good moment."""
        number = self._number(on_signalled)
        data = wire.served_to_data(served)
        self._connection.tell(
            "signal_when_idle", number, pid, int(signum), scope.name, data, patience
        )

    def tell_when_serving(self, pid: int, served: Served, on_serving: OnServing) -> None:
        """Be told when a process serves."""
        number = self._connection.number_for(on_serving)
        self._connection.tell("tell_when_serving", number, pid, wire.served_to_data(served))

    def kill_leftovers(self, pid: int, signum: int, grace: float, on_gone: OnGone) -> None:
        """Have stopped what a process left behind."""
        number = self._connection.number_for(on_gone)
        self._connection.tell("kill_leftovers", number, pid, int(signum), float(grace))

    def kill_orphans(self, signum: int, grace: float, on_gone: OnGone) -> None:
        """Have stopped what belongs to nobody."""
        number = self._connection.number_for(on_gone)
        self._connection.tell("kill_orphans", number, int(signum), float(grace))

    def alive(self) -> frozenset[int]:
        """Return who was started and has not ended."""
        return self._connection.alive

    def __contains__(self, pid: int) -> bool:
        return pid in self._connection.alive

    def refuse_spawns(self) -> None:
        """Have nobody started any more."""
        self._connection.tell("refuse_spawns")

    def close(self) -> None:
        """Leave the owner."""
        self._connection.close()


class RemoteSockets:
    """`Sockets` whose owner is another process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, plan: BindPlan) -> OpenSocket:
        """Have a socket opened."""
        return OpenSocket(**self._connection.ask("open", wire.bind_plan_to_data(plan)))

    def keep(self, number: int) -> None:
        """Have a socket kept."""
        self._connection.ask("keep", number)

    def discard(self, number: int) -> None:
        """Have a socket closed that is not kept."""
        self._connection.ask("discard", number)

    def adjust(self, name: str, plan: BindPlan) -> OpenSocket:
        """Have a socket put right."""
        return OpenSocket(**self._connection.ask("adjust", name, wire.bind_plan_to_data(plan)))

    def close(self, name: str) -> None:
        """Have a kept socket closed."""
        self._connection.ask("close", name)

    def watch(self, name: str, on_connection: Callable[[], None]) -> Callable[[], None]:
        """Be told while somebody waits."""
        numbers: list[int] = []

        def begin() -> None:
            numbers.append(self._connection.number_for(on_connected))
            self._connection.tell("watch", numbers[-1], name)

        def on_connected() -> None:
            watched = numbers[-1]
            on_connection()
            if numbers and numbers[-1] == watched:
                begin()

        def end() -> None:
            number = numbers[-1]
            numbers.clear()
            self._connection.forget(number)
            self._connection.ask("unwatch", number)

        begin()
        return end

    def close_all(self) -> None:
        """Have all closed."""
        self._connection.ask("close_all")
