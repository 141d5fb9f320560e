"""What a brain may ask its keeper for: the port of processes, and what is to be kept for the next.

That of sockets is in `socket_service.py`. Each verb is a method; what it answers carries the number
that the question had. The state notes and labels mean nothing here.
"""

from __future__ import annotations

import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cvec_circus_core.keeper.channel import BrainChannel
from cvec_circus_core.keeper.socket_service import SocketService
from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import Stdio
from cvec_circus_core.system.keeper_client import keeper_wire as wire
from cvec_circus_core.system.keeper_client.ledger import Entry, Holdings
from cvec_circus_core.system.net.owned_sockets import OwnedSockets
from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.processes.local import LocalProcesses
from cvec_circus_core.system.processes.state_file import NO_RECORD, SpawnRecord
from cvec_circus_core.system.protocols import Scope, SignalResult, SpawnResult
from cvec_circus_core.system.state_store import Inventory, TakeoverData

Unheard = Callable[[wire.Message], None]
Order = tuple[dict[str, object], dict[str, int]]
"""What a keeper is started with, and the descriptors that belong to it, by name."""


def _no_order() -> Order:
    return {}, {}


OnStandby = Callable[[int, socket.socket], None]
"""Takes the pid of a process that waits for its turn, and the connection to it."""


def ignore_standby(pid: int, connection: socket.socket) -> None:
    """Let it end at once."""
    connection.close()


class KeeperService:
    """Carries out what the brain asks for, one brain after another."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        processes: LocalProcesses,
        sockets: OwnedSockets,
        on_word: Unheard,
        record: SpawnRecord = NO_RECORD,
    ) -> None:
        """``on_word`` is given what is about the brain itself: that it is ready, or ends."""
        self.holdings = Holdings()
        self.ledger = self.holdings.ledger
        self.takes_standbys = False
        """Whether brains are asked to fork one, which takes a keeper that is given orphans."""
        self.on_standby: OnStandby = ignore_standby
        self._loop = loop
        self._processes = processes
        self._on_word = on_word
        self.sockets = SocketService(sockets, self._tell, self._share_socket)
        self._refuses_spawns = self._shares = False
        self._channel: BrainChannel | None = None
        self.order: Callable[[], Order] = _no_order
        self._verbs: dict[str, Callable[..., None]] = {
            "signal": self._signal,
            "signal_child": self._signal_child,
            "signal_when_idle": self._signal_when_idle,
            "tell_when_serving": self._tell_when_serving,
            "kill_leftovers": self._kill_leftovers,
            "kill_orphans": self._kill_orphans,
            "refuse_spawns": self._refuse_spawns,
            **self.sockets.verbs,
            "note": self.holdings.note,
            "share": self._share,
            "label": self.ledger.label,
            "release": self.ledger.release,
            "confirm": self.ledger.confirm,
            "spare": record.spare,
        }

    def serve(self, channel: BrainChannel, facts: Mapping[str, object]) -> None:
        """Serve another brain from now on: it is given the inventory, and some facts at its end."""
        self._channel = channel
        self._refuses_spawns = self._shares = False
        if self.takes_standbys:
            # A brain of an older version takes it for an answer to nobody, because of the number.
            channel.tell("standby", 0)
        for key, content in self.holdings.notes.items():
            channel.tell("note", key, content)
        for name, descriptor in self.holdings.held.items():
            channel.tell("held", name, descriptors=(descriptor,))
        for plan, opened in self.sockets.kept():
            channel.tell("socket", plan._asdict(), opened._asdict())
        for entry in self.ledger:
            self._tell_entry(channel, entry)
        channel.tell("complete", dict(facts))

    def take_over(self, inventory: Inventory) -> int:
        """Have what another keeper has had; return how many have ended meanwhile, unseen."""
        pidfds: dict[int, int] = inventory.facts.pop("pidfds", {})  # type: ignore[assignment]
        self.sockets.adopt(inventory.sockets)
        self.holdings.notes.update(inventory.notes)
        self.holdings.held.update(inventory.held)
        unseen = 0
        for process in inventory.processes:
            pid, entry = process.pid, self.ledger.resume(process, process.descriptors)
            if entry.end is None:
                try:
                    self._processes.adopt(pid, partial(self._on_exit, entry), pidfds.get(pid))
                except OSError:
                    entry.end = Exit(None)
                    unseen += 1
        return unseen

    def share_order(self) -> None:
        """Give the brain what we were started with, for a keeper after us."""
        if self._shares and self._channel is not None:
            order, files = self.order()
            names, numbers = tuple(files), tuple(files.values())
            self._channel.tell("shared", "order", order, names, descriptors=numbers)

    def _share(self) -> None:
        self._shares = True
        for plan, opened in self.sockets.kept():
            self._share_socket(plan, opened)
        self.share_order()

    def _share_socket(self, plan: BindPlan, opened: OpenSocket) -> None:
        if self._shares and self._channel is not None:
            content = (plan._asdict(), opened._asdict())
            self._channel.tell("shared", "socket", *content, descriptors=(opened.number,))

    def leave(self) -> None:
        """Do nothing more for a brain that is gone: what it has not kept is given back."""
        self._channel = None
        self.sockets.leave()

    def hear(self, message: wire.Message, descriptors: wire.Descriptors) -> None:
        """Carry out one message."""
        verb, *arguments = message
        if verb == "spawn":
            self._spawn(descriptors, *arguments)
        elif verb == "hold":
            self._hold(*arguments, *descriptors)
        elif verb == "standby":
            self.on_standby(arguments[0], socket.socket(fileno=nofile.move_up(descriptors[0])))
        elif verb in self._verbs:
            self._verbs[verb](*arguments)
        else:
            self._on_word(message)

    def _tell(self, *message: object) -> None:
        if self._channel is not None:
            self._channel.tell(*message)

    def _tell_entry(self, channel: BrainChannel, entry: Entry) -> None:
        end = None if entry.end is None else (entry.end.code, entry.end.left_behind)
        names, numbers = tuple(entry.descriptors), tuple(entry.descriptors.values())
        channel.tell(
            "process",
            *(entry.number, entry.pid, entry.label, names, end, entry.is_confirmed),
            descriptors=numbers,
        )

    def _spawn(
        self,
        descriptors: wire.Descriptors,
        number: int,
        plan: Mapping[str, Any],
        streams: tuple[str, ...],
        label: bytes,
        names: tuple[str, ...],
        title: str,
    ) -> None:
        count = len(streams)
        entries: list[Entry] = []

        def on_spawned(result: SpawnResult) -> None:
            if result.pid is None:
                wire.close_all(descriptors[count:])
                self._tell("spawned", number, 0, None, result.problem, result.is_shortage)
                return
            kept = [nofile.move_up(descriptor) for descriptor in descriptors[count:]]
            entry = self.ledger.add(result.pid, label, dict(zip(names, kept, strict=True)))
            entries.append(entry)
            self._tell("spawned", number, entry.number, result.pid, "", False)

        def on_exit(pid: int, end: Exit) -> None:
            self._on_exit(entries[0], pid, end)

        if self._refuses_spawns:
            on_spawned(SpawnResult(None, "the daemon is ending"))
        else:
            stdio = Stdio(**dict(zip(streams, descriptors[:count], strict=True)))
            self._processes.spawn(
                wire.plan_from_data(plan), stdio, on_spawned, on_exit, TakeoverData(title=title)
            )
        wire.close_all(descriptors[:count])

    def _on_exit(self, entry: Entry, _: int, end: Exit) -> None:
        entry.end = end
        self._tell("exited", entry.number, end.code, end.left_behind)

    def _on_signalled(self, number: int, result: SignalResult) -> None:
        self._tell("signalled", number, result.was_there, result.problem)

    def _signal(self, number: int, pid: int, signum: int, scope: str) -> None:
        answer = partial(self._on_signalled, number)
        self._processes.signal(pid, signum, Scope[scope], answer)

    def _signal_child(self, number: int, pid: int, child_pid: int, signum: int) -> None:
        answer = partial(self._on_signalled, number)
        self._processes.signal_child(pid, child_pid, signum, answer)

    def _signal_when_idle(
        self,
        number: int,
        pid: int,
        signum: int,
        scope: str,
        served: tuple[list[int], list[str]],
        patience: float,
    ) -> None:
        where, answer = wire.served_from_data(served), partial(self._on_signalled, number)
        self._processes.signal_when_idle(pid, signum, Scope[scope], where, patience, answer)

    def _tell_when_serving(
        self, number: int, pid: int, served: tuple[list[int], list[str]]
    ) -> None:
        where = wire.served_from_data(served)
        self._processes.tell_when_serving(pid, where, partial(self._tell, "serving", number))

    def _kill_leftovers(self, number: int, pid: int, signum: int, grace: float) -> None:
        self._processes.kill_leftovers(pid, signum, grace, partial(self._tell, "gone", number))

    def _kill_orphans(self, number: int, signum: int, grace: float) -> None:
        self._processes.kill_orphans(signum, grace, partial(self._tell, "gone", number))

    def _refuse_spawns(self) -> None:
        self._refuses_spawns = True

    def _hold(self, name: str, descriptor: int) -> None:
        self.holdings.hold(name, nofile.move_up(descriptor))
