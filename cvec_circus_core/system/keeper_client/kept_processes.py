"""`Processes` whose children are the keeper's, and what it keeps of them for the next brain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from cvec_circus_core.model.errors import CannotSpawn, SystemProblem
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.model.launch import LaunchPlan, Served, Stdio
from cvec_circus_core.system.keeper_client import keeper_wire as wire
from cvec_circus_core.system.keeper_client.keeper_link import KeeperLink, ignore_loss
from cvec_circus_core.system.keeper_client.ledger import NO_DESCRIPTOR, Entry
from cvec_circus_core.system.keeper_client.successor import SHARES
from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.processes.session_stop import stop_sessions
from cvec_circus_core.system.protocols import (
    Defer,
    OnGone,
    OnServing,
    OnSignalled,
    OnSpawned,
    Scope,
    SignalResult,
    SpawnResult,
    ignore_result,
)
from cvec_circus_core.system.state_store import (
    NO_TAKEOVER,
    Inventory,
    KeptProcess,
    OnExit,
    StateStore,
    TakeoverData,
)

log = logging.getLogger(__name__)

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL for the processes of a keeper that is gone."""


class KeptProcesses:
    """Has processes started and signalled, and hears how they end."""

    def __init__(
        self,
        link: KeeperLink,
        defer: Defer | None = None,
        on_lost_all: Callable[[], None] = ignore_loss,
        inventory: Inventory | None = None,
    ) -> None:
        """``on_lost_all`` is called when the keeper is gone, and another has what it had.

        Where there can be no other, everything is stopped before.
        """
        self._link = link
        self._defer = defer
        self._on_lost_all = on_lost_all
        self.copy = link.copy
        self._is_shared = bool(link.facts.get(SHARES))
        """Whether we get duplicates of what the keeper has, and keep some of what it gets."""
        self.known: dict[int, Entry] = {}
        """By pid: those that were started or taken over."""
        self._alive: dict[int, tuple[int, OnExit]] = {}
        """By the keeper's number: pid, and whom to tell of the end."""
        self._pids: set[int] = set()
        link.on_end = self._on_end
        link.on_lost = self._on_lost
        if inventory is not None:
            self._copy_inventory(inventory)

    def _copy_inventory(self, inventory: Inventory) -> None:
        """Have a copy of what there is, before anybody uses its descriptors."""
        holdings = self.copy.holdings
        holdings.notes.update(inventory.notes)
        for name, descriptor in self.duplicates(inventory.held).items():
            holdings.hold(name, descriptor)
        for process in inventory.processes:
            holdings.ledger.resume(process, self.duplicates(process.descriptors))
        if self._is_shared:
            self._link.on_shared = self._on_shared
            self._link.tell("share")

    def duplicates(self, descriptors: Mapping[str, int]) -> dict[str, int]:
        """Return duplicates of our own, as far as there are any to be had."""
        numbers = dict.fromkeys(descriptors, NO_DESCRIPTOR)
        with suppress(OSError):
            for name, descriptor in descriptors.items() if self._is_shared else ():
                numbers[name] = nofile.duplicate(descriptor)
        return numbers

    def _on_shared(self, content: wire.Message, descriptors: wire.Descriptors) -> None:
        match content:
            case ("socket", plan, opened):
                self.copy.add_socket(plan, opened, *descriptors)
            case ("order", order, names):
                self.copy.take_order(order, dict(zip(names, descriptors, strict=True)))
            case _:
                wire.close_all(descriptors)

    def take_over(self, process: KeptProcess, on_exit: OnExit) -> None:
        """Have a process that an earlier brain has started; one that has ended is told soon.

        Of one whose end was told, only the descriptors are left to be released.
        """
        self.known[process.pid] = self.copy.holdings.ledger[process.number]
        if process.is_confirmed:
            return
        self._register(process.number, process.pid, on_exit)
        if process.end is not None:
            self._on_end(process.number, process.end)

    def _register(self, number: int, pid: int, on_exit: OnExit) -> None:
        self._alive[number] = (pid, on_exit)
        self._pids.add(pid)

    def spawn(
        self,
        plan: LaunchPlan,
        stdio: Stdio,
        on_spawned: OnSpawned,
        on_exit: OnExit,
        takeover: TakeoverData = NO_TAKEOVER,
    ) -> None:
        """Have a process started; the answer comes later."""

        def on_answer(number: int, pid: int | None, problem: str, is_shortage: bool) -> None:
            if pid is None:
                wire.close_all(fd for fd in duplicates.values() if fd != NO_DESCRIPTOR)
            else:
                ledger = self.copy.holdings.ledger
                self.known[pid] = ledger.add(pid, takeover.label, duplicates, number)
                self._register(number, pid, on_exit)
            on_spawned(SpawnResult(pid, problem, is_shortage))

        try:
            nofile.check_room()
        except CannotSpawn as error:
            on_spawned(SpawnResult(None, str(error), error.is_shortage))
            return
        duplicates = self.duplicates(takeover.descriptors)
        streams = wire.stdio_to_data(stdio)
        self._link.tell(
            "spawn",
            self._link.number_for(on_answer),
            wire.plan_to_data(plan),
            tuple(streams),
            takeover.label,
            tuple(takeover.descriptors),
            takeover.title,
            descriptors=(*streams.values(), *takeover.descriptors.values()),
        )

    def _answer_to(self, on_signalled: OnSignalled) -> int:
        return self._link.number_for(
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
        self._link.tell("signal", self._answer_to(on_signalled), pid, int(signum), scope.name)

    def signal_child(
        self, pid: int, child_pid: int, signum: int, on_signalled: OnSignalled = ignore_result
    ) -> None:
        """Have a signal sent to one direct child of a process."""
        number = self._answer_to(on_signalled)
        self._link.tell("signal_child", number, pid, child_pid, int(signum))

    def signal_when_idle(
        self,
        pid: int,
        signum: int,
        scope: Scope,
        served: Served,
        patience: float,
        on_signalled: OnSignalled = ignore_result,
    ) -> None:
        """Have a signal sent once that costs nobody a request."""
        number, where = self._answer_to(on_signalled), wire.served_to_data(served)
        self._link.tell(
            "signal_when_idle", number, pid, int(signum), scope.name, where, float(patience)
        )

    def tell_when_serving(self, pid: int, served: Served, on_serving: OnServing) -> None:
        """Be told when a process waits on its sockets."""
        number = self._link.number_for(on_serving)
        self._link.tell("tell_when_serving", number, pid, wire.served_to_data(served))

    def kill_leftovers(self, pid: int, signum: int, grace: float, on_gone: OnGone) -> None:
        """Have stopped what an ended process left behind."""
        number = self._link.number_for(on_gone)
        self._link.tell("kill_leftovers", number, pid, int(signum), float(grace))

    def kill_orphans(self, signum: int, grace: float, on_gone: OnGone) -> None:
        """Have stopped what was orphaned and belongs to nobody."""
        number = self._link.number_for(on_gone)
        self._link.tell("kill_orphans", number, int(signum), float(grace))

    def alive(self) -> frozenset[int]:
        """Return the pids that are ours and have not been reported as ended."""
        return frozenset(self._pids)

    def __contains__(self, pid: int) -> bool:
        return pid in self._pids

    def refuse_spawns(self) -> None:
        """Have nobody started any more."""
        self._link.tell("refuse_spawns")

    def close(self) -> None:
        """Hear nothing more; the keeper has everybody still."""
        self._link.detach()

    def _on_lost(self) -> None:
        """Start another keeper, or else end what it had: it is in nobody's charge any more."""
        try:
            pid = self.copy.start_keeper(self._link.facts)
        except (OSError, SystemProblem) as error:
            log.critical("the keeper is gone: stopping what it had, and ending (%s)", error)
            count = stop_sessions(self._pids, GRACE)
            log.critical("%d processes are stopped", count)
        else:
            log.critical("the keeper is gone: process %d takes over what it had", pid)
        self._on_lost_all()

    def _on_end(self, number: int, end: Exit) -> None:
        ledger = self.copy.holdings.ledger
        if number in ledger:
            ledger[number].end = end
        # A thousand may end at once: others shall have their turn meanwhile.
        if self._defer is None:
            self._tell_end(number, end)
        else:
            self._defer(lambda: self._tell_end(number, end))

    def _tell_end(self, number: int, end: Exit) -> None:
        if number not in self._alive:
            return
        pid, on_exit = self._alive.pop(number)
        self._pids.discard(pid)
        try:
            on_exit(pid, end)
        except Exception:
            log.exception("process %d: telling its end failed; going on with the others", pid)


class KeeperStore(StateStore):
    """The state that a keeper has."""

    is_kept = True

    def __init__(self, link: KeeperLink, processes: KeptProcesses, inventory: Inventory) -> None:
        super().__init__(inventory)
        self._link = link
        self._processes = processes
        self._known = processes.known
        self._holdings = processes.copy.holdings

    def take_over(self, process: KeptProcess, on_exit: OnExit) -> None:
        """Have a process of the inventory; if it has ended, that is told soon."""
        self._processes.take_over(process, on_exit)

    def abandon(self, process: KeptProcess) -> None:
        """Have nothing to do with a process; its end is of no interest to anybody."""
        wire.close_all(process.descriptors.values())
        for name in process.descriptors:
            self._holdings.ledger.release(process.number, name)
            self._link.tell("release", process.number, name)
        self._holdings.ledger.confirm(process.number)
        self._link.tell("confirm", process.number)

    def note(self, key: str, content: bytes | None) -> None:
        """Have something kept under a key; None forgets it."""
        self._link.note(key, content)

    def hold(self, name: str, descriptor: int) -> None:
        """Have a duplicate of a descriptor held."""
        for key, number in self._processes.duplicates({name: descriptor}).items():
            self._holdings.hold(key, number)
        self._link.tell("hold", name, descriptors=(descriptor,))

    def label(self, pid: int, label: bytes) -> None:
        """Have something else kept of a process."""
        if pid in self._known:
            self._holdings.ledger.label(self._known[pid].number, label)
            self._link.tell("label", self._known[pid].number, label)

    def release(self, pid: int, name: str) -> None:
        """Have one of its descriptors closed."""
        entry = self._known.get(pid)
        if entry is not None and name in entry.descriptors:
            self._holdings.ledger.release(entry.number, name)
            self._link.tell("release", entry.number, name)
            self._drop_if_over(pid, entry)

    def confirm(self, pid: int) -> None:
        """Say that its end was told."""
        entry = self._known.get(pid)
        if entry is not None:
            self._holdings.ledger.confirm(entry.number)
            self._link.tell("confirm", entry.number)
            self._drop_if_over(pid, entry)

    def spare(self, pid: int) -> None:
        """Have a process go on whatever becomes of the keeper."""
        self._link.tell("spare", pid)

    def _drop_if_over(self, pid: int, entry: Entry) -> None:
        if entry.is_confirmed and not entry.descriptors:
            del self._known[pid]
