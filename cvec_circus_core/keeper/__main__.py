"""The keeper as a program: ``python -m cvec_circus_core.keeper ORDER``, in circusd's own process.

The order is JSON: how a brain is started, and the descriptors that were open before: the pid file,
and the pipe of a caller who waits in the foreground. A keeper that follows another is given all
that it had as well (`handover.py`).
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # asyncio would load OpenSSL, a tenth of our memory, and does without it as well.
    sys.modules["ssl"] = None  # type: ignore[assignment]

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable
from functools import partial

from cvec_circus_core.keeper.brain import Brain
from cvec_circus_core.keeper.keeper_order import HeldFiles, KeeperOrder
from cvec_circus_core.keeper.keeper_service import KeeperService
from cvec_circus_core.system.daemonize import NOBODY_WAITS, WaitingCaller
from cvec_circus_core.system.keeper_client import keeper_wire as wire
from cvec_circus_core.system.keeper_client.handover import FORM, pack, unpack
from cvec_circus_core.system.keeper_client.successor import PROGRAM
from cvec_circus_core.system.net.owned_sockets import OwnedSockets
from cvec_circus_core.system.prctl import become_subreaper
from cvec_circus_core.system.processes.descriptors import (
    nofile,
    raise_nofile_limit,
    seal_descriptors,
)
from cvec_circus_core.system.processes.launcher import Launcher
from cvec_circus_core.system.processes.left_processes import kill_strays
from cvec_circus_core.system.processes.local_owner import choose_processes, subreaper_processes
from cvec_circus_core.system.processes.orphans import OrphanReaper
from cvec_circus_core.system.processes.process_table import child_pids
from cvec_circus_core.system.processes.session_stop import wait_or_kill
from cvec_circus_core.system.processes.spawn_tags import drop_tag
from cvec_circus_core.system.processes.state_file import NO_RECORD, SpawnRecord
from cvec_circus_core.system.service_manager import ServiceManager
from cvec_circus_core.system.signals import DaemonSignals
from cvec_circus_core.system.state_store import Inventory

log = logging.getLogger(__name__)

_NOT_FOR_THE_BRAIN = frozenset(
    {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGWINCH, signal.SIGPIPE}
    | {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT, signal.SIGURG}
    | {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL}
)

_LAST_GRACE = 5.0
"""Seconds that a brain may take to end once it has started us."""
UNDERSTANDS = FORM
"""The handover that this program can begin with."""
_FOR_THE_MANAGER = -1
"""The number of a question whose answer is for the service manager; those of the watch are greater
than 0, and that of a trial is 0."""


class Keeper:
    """Everything that the keeper's process is made of."""

    def __init__(
        self, order: KeeperOrder, loop: asyncio.AbstractEventLoop, files: HeldFiles
    ) -> None:
        record: SpawnRecord = files.state or NO_RECORD
        self._files = files
        self._python = order.python
        self._loop = loop
        self._caller = NOBODY_WAITS if order.caller_fd is None else WaitingCaller(order.caller_fd)
        manager = ServiceManager.from_environment()
        self._manager = ServiceManager(*order.manager) if order.manager else manager
        self._sockets = OwnedSockets(loop)
        is_given_orphans = become_subreaper() or os.getpid() == 1
        make = subreaper_processes if is_given_orphans else choose_processes
        self._processes = make(loop, Launcher(sealed=True), None, self._sockets, record)
        self._over: asyncio.Future[int] = loop.create_future()
        self._brain = Brain(loop, self._processes, order.brain, self._end)
        self._service = self._brain.service = KeeperService(
            loop, self._processes, self._sockets, self._on_word, record
        )
        self._service.order = self._order
        self._service.takes_standbys = is_given_orphans
        self._service.on_standby = self._brain.add_standby
        if files.state is not None:
            files.state.on_renewed = self._service.share_order
        self._brain.on_exchange = self._exchange

    def _order(self) -> tuple[dict[str, object], dict[str, int]]:
        """Return what a keeper after us is started with."""
        paths, numbers = self._files.shared()
        return {
            **paths,
            "brain": list(self._brain.argv),
            "manager": self._manager.hand_on(),
        }, numbers

    def follow(self, inventory: Inventory) -> None:
        """Have what another keeper had, or what a start has found by the state file."""
        facts = inventory.facts
        predecessor = facts.pop("brain", None)
        if isinstance(predecessor, int):
            self._manager.main_process()
            # The tag is of the brain that has started us; that of a daemon above is ours.
            drop_tag()
            wait_or_kill(predecessor, _LAST_GRACE)
        unseen = self._service.take_over(inventory)
        if "starts" in facts:
            self._brain.resume(facts, was_killed=predecessor is not None)
        if predecessor is None:
            return
        if (state := self._files.state) is not None:
            for pid in kill_strays(state.records, self._processes.alive()):
                log.warning("process %d was started while the keeper died: it is killed", pid)
        log.warning(
            "the keeper (pid %s) is gone: pid %d has its place, and %d processes; of %d nobody "
            "knows how they have ended",
            *(facts.get("pid"), os.getpid(), len(self._processes.alive()), unseen),
        )

    def _exchange(self, python: str) -> None:
        """Become the keeper of other code, in this process; return where that is not possible."""
        paths, numbers = self._order()
        facts = self._brain.facts_for_keeper()
        try:
            handover = pack(self._service.holdings, self._service.sockets.kept(), facts)
            for descriptor in numbers.values():
                os.set_inheritable(descriptor, True)
            ours = {"handover_fd": handover, "python": python, "python_before": self._python}
            words = [python, *PROGRAM, json.dumps({**paths, **numbers, **ours})]
            # A signal that comes before the other program hears it would end it.
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            nofile.restore_here()
            os.execv(python, words)  # noqa: S606 - no shell is wanted
        except OSError as error:
            log.error("the keeper stays as it is: %s", error)
            nofile.raise_to_hard()
            signal.pthread_sigmask(signal.SIG_SETMASK, ())

    async def run(self) -> int:
        """Keep until a brain has ended for good; return its exit code."""
        orphans = OrphanReaper(self._loop, self._processes.__contains__, child_pids(os.getpid()))
        signals = DaemonSignals(self._loop)
        handed_on: dict[int, Callable[[], None]] = {
            int(number): partial(self._brain.signal, int(number))
            for number in signal.valid_signals() - _NOT_FOR_THE_BRAIN
        }
        signals.install({**handed_on, signal.SIGCHLD: orphans.child_died})
        try:
            self._brain.start()
            return await self._over
        finally:
            self._brain.close()
            orphans.close()
            signals.restore()
            self._processes.close()
            self._sockets.close_all()

    def _end(self, code: int) -> None:
        if not self._over.done():
            self._over.set_result(code)

    def _pass_on_watchdog(self) -> None:
        """Say that we go on where the brain says so, or is about to be started again."""
        if not self._brain.ask(_FOR_THE_MANAGER):
            self._manager.going_on()

    def _on_word(self, message: wire.Message) -> None:
        """Take what a brain says of itself."""
        match message:
            case ("ready",):
                self._brain.became_ready()
                self._caller.ready()
                self._manager.ready()
                self._manager.watched(self._loop, self._pass_on_watchdog)
            case ("answers",):
                self._brain.can_answer()
            case ("going on", 0):
                self._brain.trials.answered()
            case ("going on", number) if number == _FOR_THE_MANAGER:
                self._manager.going_on()
            case ("going on", number):
                self._brain.watch.answered(number)
            case ("exchange", python):
                self._brain.exchange_with = python
            case ("upgrade", python, watch, limit):
                self._brain.upgrade(python, watch, limit)
            case ("failed", sentence):
                self._brain.trials.complain(sentence)
                self._caller.failed(sentence)
            case ("stopping",):
                self._manager.stopping()
            case ("patience", seconds):
                self._brain.watch.patience = seconds
            case ("over",):
                self._brain.leaves()
            case _:
                log.error("the brain says what is not known: %r", message[:1])


def main() -> int:
    """Run the keeper and return its exit code."""
    logging.basicConfig(format="%(asctime)s keeper[%(process)d] [%(levelname)s] %(message)s")
    order = KeeperOrder.read(sys.argv[1])
    inventory = _inventory(order)
    raise_nofile_limit()
    seal_descriptors()
    files = HeldFiles.of(order)
    try:
        return asyncio.run(_run(order, files, inventory))
    finally:
        files.release()


def _inventory(order: KeeperOrder) -> Inventory | None:
    """Return what another keeper had; where that can not be read, its code goes on with it."""
    if order.handover_fd is None:
        return None
    try:
        inventory = unpack(order.handover_fd)
    except Exception as error:
        if order.python_before is None:
            raise
        log.error(
            "the keeper goes back to the code before: it can not read the handover: %s", error
        )
        words = {**json.loads(sys.argv[1]), "python": order.python_before, "python_before": None}
        os.execv(order.python_before, [order.python_before, *PROGRAM, json.dumps(words)])  # noqa: S606
    os.close(order.handover_fd)
    return inventory


async def _run(order: KeeperOrder, files: HeldFiles, inventory: Inventory | None) -> int:
    keeper = Keeper(order, asyncio.get_running_loop(), files)
    if inventory is not None:
        keeper.follow(inventory)
    return await keeper.run()


if __name__ == "__main__":
    sys.exit(main())
