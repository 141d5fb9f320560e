"""All watchers together: who is there, and wishes that concern more than one.

There is no lock: each watcher has its own inbox, and nothing here waits for one watcher on behalf
of another but the order of starting. Long wishes are tasks that this room owns; quit cancels them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from cvec_circus_core.model import events
from cvec_circus_core.model.errors import (
    AlreadyExists,
    CircusError,
    ConfigError,
    ShuttingDown,
    Superseded,
    UnknownWatcher,
)
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.config_plan import Plan, plan
from cvec_circus_core.policy.config_steps import Present, plan_options, steps
from cvec_circus_core.policy.order import start_groups, start_order, stop_order
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.runtime.config_changes import (
    Adopt,
    Outlook,
    WatcherChanges,
    adopt_nothing,
    by_key,
    with_options,
)
from cvec_circus_core.runtime.socket_changes import SocketChange, SocketChanges
from cvec_circus_core.runtime.start_sequence import start_in_order
from cvec_circus_core.runtime.streams.watcher_streams import check_streams
from cvec_circus_core.runtime.tickets import Ticket, settled, wait_all
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.world import World

log = logging.getLogger(__name__)


class Configured(Struct, frozen=True):
    """What a configuration says: the daemon's own options, the watchers, and their sockets."""

    arbiter: ArbiterSpec = field(default_factory=ArbiterSpec)
    watchers: tuple[WatcherSpec, ...] = ()
    sockets: tuple[SocketSpec, ...] = ()


Configure = Callable[[], Configured]
"""Reads the configuration again. Raises `ConfigError` with all its mistakes."""


def nothing_to_read() -> Configured:
    """Refuse: there is no configuration file."""
    raise ConfigError("there is no configuration file to read again")


class ArbiterActor:
    """Owns the watchers."""

    def __init__(
        self,
        configured: Configured,
        world: World,
        configure: Configure = nothing_to_read,
        adopt: Adopt = adopt_nothing,
    ) -> None:
        self.spec = configured.arbiter
        self.world = world
        self.ended = asyncio.Event()
        """Set once a quit is done: every process is gone."""
        self.access_changed: Callable[[], None] = lambda: None
        """Is called when the lists of those who may call may have changed."""
        self._configure = configure
        self._adopt = adopt
        self._watchers: dict[str, WatcherActor] = {}
        self._from_file: dict[str, WatcherSpec] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._quit: Ticket | None = None
        world.neighbours.watchers = self.watchers
        self._detached: list[WatcherActor] = []
        for spec in configured.watchers:
            self.add(spec)
        self._from_file = {name_key(spec.name): spec for spec in configured.watchers}
        self._sockets = SocketChanges(world, configured.sockets, self.watchers)

    @property
    def is_quitting(self) -> bool:
        """Whether the end has begun."""
        return self._quit is not None

    def watchers(self) -> Iterable[WatcherActor]:
        """Return all watchers, in the order in which they were added."""
        return tuple(self._watchers.values())

    def watcher(self, name: str) -> WatcherActor:
        """Return the watcher of this name. Raises `UnknownWatcher`."""
        actor = self._watchers.get(name_key(name))
        if actor is None:
            raise UnknownWatcher(name)
        return actor

    def add(self, spec: WatcherSpec) -> WatcherActor:
        """Add a watcher, stopped. Raises `AlreadyExists`, `ShuttingDown`, `BadMessage`."""
        if self.is_quitting:
            raise ShuttingDown
        key = name_key(spec.name)
        if key in self._watchers:
            raise AlreadyExists(spec.name)
        check_streams(self.world.outputs, spec)
        actor = self._watchers[key] = WatcherActor(spec, self.world)
        self.world.emit(events.WatcherAdded(spec.name))
        return actor

    def remove(self, name: str, *, nostop: bool = False) -> Ticket:
        """Stop a watcher, unless ``nostop``, and forget it. Raises `UnknownWatcher`."""
        actor = self.watcher(name)
        if nostop:
            self._detached = [*(one for one in self._detached if one.view().processes), actor]
        ticket = actor.wish(Go.LEAVE if nostop else Go.STOP, final=True)
        ticket.when_settled(lambda: self._forget(actor))
        return ticket

    def _forget(self, actor: WatcherActor) -> None:
        key = name_key(actor.name)
        if self._watchers.get(key) is actor:
            del self._watchers[key]
            self._from_file.pop(key, None)
            self.world.emit(events.WatcherRemoved(actor.name))

    def start_all(self) -> Ticket:
        """Start every autostart watcher, highest priority first."""
        chosen = [watcher for watcher in self._watchers.values() if watcher.spec.autostart]
        return self._run("start", self._start(chosen))

    def stop_all(self) -> Ticket:
        """Stop every watcher, lowest priority first; they end side by side."""
        self._cancel_tasks()
        tickets = [one.wish(Go.STOP) for one in stop_order(self._watchers.values())]
        return self._run("stop", wait_all(tickets))

    def reload_all(self, *, graceful: bool = True, sequential: bool = False) -> Ticket:
        """Reload every active watcher, one after another, highest priority first."""

        async def reload() -> Done:
            tickets = {}
            for one in start_order(self._watchers.values()):
                if one.status in (WatcherStatus.ACTIVE, WatcherStatus.STARTING):
                    ticket = one.reload(sequential=sequential) if graceful else one.wish(Go.RESTART)
                    tickets[ticket] = one.name
                    await _end_of(ticket)
            return await wait_all(tickets, tickets)

        return self._run("reload", reload())

    def restart_all(self) -> Ticket:
        """Stop everything, read the configuration again, and start it, in the same pid.

        Raises `ConfigError`, in which case nothing was touched.
        """
        configured = self._configure()
        sockets = self._sockets.prepare(configured.sockets, self._plan_for(configured))
        self._cancel_tasks()

        async def restart() -> Done:
            await wait_all([one.wish(Go.STOP) for one in stop_order(self._watchers.values())])
            outlook = self._outlook(configured)
            if later := outlook.options.at_next_start:
                log.warning("%s: as before, until circusd itself starts again", ", ".join(later))
            await self._apply(outlook, configured, sockets)
            chosen = [watcher for watcher in self._watchers.values() if watcher.spec.autostart]
            return await self._start(chosen)

        return self._run("restart", restart())

    def plan_config(self) -> Outlook:
        """Read the configuration again and return what it means, without doing anything.

        Raises `ConfigError` with every mistake.
        """
        return self._outlook(self._configure())

    def reload_config(self) -> tuple[Outlook, Ticket]:
        """Read the configuration again and apply what differs.

        Raises `ConfigError` with every mistake, or `CannotBind` with every socket that can not be
        opened, in which case nothing was touched.
        """
        if self.is_quitting:
            raise ShuttingDown
        configured = self._configure()
        outlook = self._outlook(configured)
        new = with_options(self.spec, configured.arbiter, outlook.options.at_once)
        self._adopt(new, outlook.options.at_once)
        sockets = self._sockets.prepare(configured.sockets, outlook.watchers)
        self.spec = new
        self.access_changed()
        ticket = self._run("reloadconfig", self._apply(outlook, configured, sockets))
        ticket.when_settled(self.access_changed)
        return outlook, ticket

    def quit(self) -> Ticket:
        """Stop everything and end. It always wins, and a second call changes nothing."""
        if self._quit is None:
            self._cancel_tasks()
            tickets = [_end(one, self.world) for one in stop_order(self._watchers.values())]
            self._quit = self._run("quit", self._end(tickets))
            self._quit.when_settled(self.ended.set)
        return self._quit

    def detached_pids(self) -> frozenset[int]:
        """Return the pids that were left running on purpose, their watchers being forgotten."""
        return frozenset(
            process.pid for actor in self._detached for process in actor.view().processes
        )

    async def _end(self, tickets: list[Ticket]) -> Done:
        done = await wait_all(tickets)
        # The last hooks tell of what has just ended.
        for watcher in self._watchers.values():
            await watcher.hooks.wait_done()
        return done

    def hasten(self) -> None:
        """Give nobody any grace from now on."""
        for watcher in self._watchers.values():
            watcher.hasten()

    def _plan_for(self, configured: Configured) -> Plan:
        new = {name_key(spec.name): spec for spec in configured.watchers}
        in_force = {key: one.spec for key, one in self._watchers.items()}
        return plan(self._from_file, new, in_force)

    def _outlook(self, configured: Configured) -> Outlook:
        chosen = self._plan_for(configured)
        sockets, keen = self._sockets.look_ahead(configured.sockets, chosen)
        present = Present(
            {key: one.spec for key, one in self._watchers.items()},
            {key: one.condition for key, one in self._watchers.items()},
            self._from_file,
            keen,
        )
        options = plan_options(self.spec, configured.arbiter)
        return Outlook(steps(chosen, present), chosen, sockets, options)

    async def _apply(self, outlook: Outlook, configured: Configured, sockets: SocketChange) -> Done:
        before, self._from_file = self._from_file, by_key(configured.watchers)
        changes = WatcherChanges(self, outlook)
        try:
            return await changes.make(sockets)
        finally:
            # What could not be had is tried again the next time the file is read.
            self._from_file.update({key: before[key] for key in changes.failed if key in before})

    async def _start(self, watchers: Iterable[WatcherActor]) -> Done:
        return await start_in_order(start_groups(watchers), self.spec.warmup_delay, self.world)

    def _run(self, name: str, work: Coroutine[Any, Any, Done]) -> Ticket:
        """Run a wish of many as a task of ours; its end settles the ticket."""
        ticket = Ticket(self.world.loop)

        async def run() -> None:
            try:
                ticket.settle(await work)
            except CircusError as error:
                ticket.settle(Failed(error))
            except asyncio.CancelledError:
                ticket.settle(Failed(Superseded(name, "wish for all watchers")))
                raise
            except Exception as error:
                log.exception("%s failed", name)
                ticket.settle(Failed(CircusError(f"{name} failed: {error}")))

        task = self.world.loop.create_task(run(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return ticket

    def _cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()


def _end(actor: WatcherActor, world: World) -> Ticket:
    """Stop a watcher for good; a broken one must not keep the others from it."""
    try:
        return actor.wish(Go.STOP, final=True)
    except Exception as error:
        log.exception("watcher %s: it can not be stopped; going on with the others", actor.name)
        failure = CircusError(f"watcher {actor.name} can not be stopped: {error}")
        return settled(world.loop, Failed(failure))


async def _end_of(ticket: Awaitable[Done]) -> None:
    """Wait for a ticket whatever its outcome."""
    try:
        await ticket
    except CircusError:
        pass
