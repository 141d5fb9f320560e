"""All watchers together at run time: what can be asked of them as a whole.

There is no lock: each watcher has its own inbox, and so has the machine of all (`policy/arbiter`),
which decides what one has to wait for of another (`arbiter_inbox.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

from cvec_circus_core.extend.ports import ConfigReading
from cvec_circus_core.model.errors import (
    CircusError,
    ShuttingDown,
)
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.socket_use import socket_use
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.policy.arbiter import inputs
from cvec_circus_core.policy.arbiter.inputs import ArbiterInput, ConfigRead
from cvec_circus_core.policy.arbiter.state import ArbiterState
from cvec_circus_core.policy.config_plan import (
    ConfigPlan,
    Configuration,
    Present,
    plan_config,
    refuse_emptied,
    sockets_by_name,
    watchers_by_key,
    with_options,
)
from cvec_circus_core.policy.watcher.inputs import TicketId
from cvec_circus_core.runtime.address_givers import AddressGivers, going_watchers
from cvec_circus_core.runtime.arbiter_inbox import ArbiterInbox
from cvec_circus_core.runtime.daemon_callbacks import NO_DAEMON, DaemonCallbacks
from cvec_circus_core.runtime.daemon_host import DaemonHost
from cvec_circus_core.runtime.managed_sockets import Exchange
from cvec_circus_core.runtime.saved_config import SavedConfig
from cvec_circus_core.runtime.takeover_notes import (
    OperationNotes,
    kept_watchers,
    present_watchers,
)
from cvec_circus_core.runtime.tickets import TicketFuture
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.world import World

log = logging.getLogger(__name__)


class ArbiterActor:
    """Owns the watchers."""

    def __init__(
        self,
        configuration: Configuration,
        world: World,
        daemon: DaemonCallbacks = NO_DAEMON,
    ) -> None:
        self.world = world
        self._kept = kept_watchers(world.store.inventory)
        self.ended = asyncio.Event()
        """Set once a quit is done: every process is gone."""
        self._daemon = daemon
        self._state = ArbiterState(
            configuration.arbiter,
            watchers_by_key(configuration.watchers),
            sockets_by_name(configuration.sockets),
        )
        self._inbox = ArbiterInbox(self._state, world)
        self._registry = self._inbox.registry
        self._operations = OperationNotes(world.store)
        self._quit: TicketFuture | None = None
        world.neighbours.watchers = self.actors
        world.neighbours.leaving_pids = self._registry.leaving_pids
        for spec in present_watchers(configuration.watchers, self._kept, world.store.inventory):
            self.add_spec(spec)

    @property
    def spec(self) -> ArbiterSpec:
        """The daemon's own options."""
        return self._state.spec

    @property
    def daemon_host(self) -> DaemonHost:
        """The processes that the daemon is made of."""
        return self._daemon.daemon_host

    @property
    def saved(self) -> SavedConfig:
        """The file beside the configuration file."""
        return self._daemon.saved

    @property
    def is_quitting(self) -> bool:
        """Whether the end has begun."""
        return self._state.is_quitting

    def actors(self) -> Iterable[WatcherActor]:
        """Return all watchers, in the order in which they were added."""
        return self._registry.watchers()

    def watcher(self, name: str) -> WatcherActor:
        """Return the watcher of this name. Raises `UnknownWatcher`."""
        return self._registry.watcher(name)

    def add_spec(self, spec: WatcherSpec) -> WatcherActor:
        """Add a watcher, stopped. Raises `AlreadyExists`, `ShuttingDown`, `BadMessage`."""
        if self.is_quitting:
            raise ShuttingDown
        return self._registry.add(spec)

    def remove(self, name: str, *, nostop: bool = False) -> TicketFuture:
        """Stop a watcher, unless ``nostop``, and forget it. Raises `UnknownWatcher`."""
        actor = self.watcher(name)
        if nostop:
            self._registry.note_detached(actor)
            for process in actor.view().processes:
                self.world.store.spare(process.pid)
        key = name_key(actor.name)
        ticket = self._inbox.request(lambda number: inputs.RemoveWatcher(number, key, nostop))
        return ticket if nostop else self._operations.note(f"remove {key}", ticket)

    def take_over(self) -> None:
        """Go on where an earlier daemon was, also with what it was asked for all watchers."""
        for key, kept in self._kept.items():
            self._registry.tell(key, partial(WatcherActor.take_over, kept=kept))
        resume: dict[str, Callable[[], object]] = {
            "start": partial(self.start_all, self._had_their_turn()),
            "stop": self.stop_all,
            "reload": self.reload_all,
            "restart": self.restart_all,
            "reloadconfig": self.reload_config,
            "quit": self.quit,
        }
        for name in self._operations.interrupted():
            log.warning("%s was under way when the daemon died: it is gone on with", name)
            verb, _, key = name.partition(" ")
            try:
                self.remove(key) if verb == "remove" else resume[verb]()
            except CircusError as error:
                log.error("%s is not gone on with: %s", name, error)

    def _had_their_turn(self) -> frozenset[str]:
        return frozenset(
            key
            for key, kept in self._kept.items()
            if kept.memory is not None and kept.memory.has_run
        )

    def start_all(self, done: frozenset[str] = frozenset()) -> TicketFuture:
        """Start every autostart watcher, highest priority first, but for those that are done."""
        start = self._inbox.request(lambda number: inputs.StartAll(number, done))
        return self._operations.note("start", start)

    def stop_all(self) -> TicketFuture:
        """Stop every watcher, lowest priority first; they end side by side."""
        return self._operations.note("stop", self._inbox.request(inputs.StopAll))

    def reload_all(self, *, graceful: bool = True, sequential: bool = False) -> TicketFuture:
        """Reload every active watcher, one after another, highest priority first."""
        ticket = self._inbox.request(lambda number: inputs.ReloadAll(number, graceful, sequential))
        return self._operations.note("reload", ticket)

    async def read_config(self) -> Configuration:
        """Read the configuration again while the loop goes on. Raises `ConfigError`."""
        if self.is_quitting:
            raise ShuttingDown
        return await self._daemon.read_config()

    def restart_all(self, reading: ConfigReading | None = None) -> TicketFuture:
        """Stop everything, read the configuration again, and start it, in the same pid.

        Raises `ConfigError` and `CannotBind`, in which case nothing was touched.
        """
        if self.is_quitting:
            raise ShuttingDown
        configuration = self._configuration(reading)
        plan = self._plan(configuration, allow_empty=False)
        exchange = self._prepare(plan, tuple(self._state.watchers))
        if later := plan.options.at_next_start:
            log.warning("%s: as before, until circusd itself starts again", ", ".join(later))
        ticket = self._request_change(inputs.RestartAll, configuration, exchange)
        return self._operations.note("restart", ticket)

    def plan_config(
        self, reading: ConfigReading | None = None, *, allow_empty: bool = False
    ) -> ConfigPlan:
        """Return what the configuration means that was read again, without doing anything.

        Raises `ConfigError` with every mistake, and where it would have no watcher any more,
        unless ``allow_empty``.
        """
        return self._plan(self._configuration(reading), allow_empty=allow_empty)

    def reload_config(
        self, reading: ConfigReading | None = None, *, allow_empty: bool = False
    ) -> tuple[ConfigPlan, TicketFuture]:
        """Apply what differs in the configuration that was read again.

        Raises `ConfigError` as `plan_config` does, or `CannotBind` with every socket that can not
        be opened, in which case nothing was touched.
        """
        if self.is_quitting:
            raise ShuttingDown
        configuration = self._configuration(reading)
        plan = self._plan(configuration, allow_empty=allow_empty)
        keys = plan.options.at_once
        self._daemon.apply_options(with_options(self.spec, configuration.arbiter, keys), keys)
        exchange = self._prepare(plan, going_watchers(plan))
        ticket = self._request_change(inputs.ReloadConfig, configuration, exchange)
        self._operations.note("reloadconfig", ticket)
        self._daemon.access_changed()
        ticket.when_settled(self._daemon.access_changed)
        return plan, ticket

    def quit(self) -> TicketFuture:
        """Stop everything and end. It always wins, and a second call changes nothing."""
        if self._quit is None:
            self._quit = self._operations.note("quit", self._inbox.request(inputs.Quit))
            self._quit.when_settled(self.ended.set)
        return self._quit

    @property
    def end_by(self) -> float:
        """The moment at which a daemon that quits has to be gone; infinite without a limit."""
        return self._state.end_by

    def detached_pids(self) -> frozenset[int]:
        """Return the pids that were left running on purpose, their watchers being forgotten."""
        return self._registry.detached_pids()

    def renew_users(self, socket: str) -> None:
        """Replace the processes of the watchers that use a socket, which is another one now."""
        names = self.world.sockets.names
        for actor in self.actors():
            if socket in socket_use(actor.spec, names).names:
                actor.renew()

    def hasten(self) -> None:
        """Give nobody any grace from now on."""
        self._inbox.put(inputs.HastenAll())

    def present(self) -> Present:
        """Return what is in force, beside what the files had when they were read last."""
        self._inbox.step()
        return self._state.present(self.world.sockets.specs)

    def _configuration(self, reading: ConfigReading | None) -> Configuration:
        return self._daemon.configure() if reading is None else cast(Configuration, reading)

    def _plan(self, configuration: Configuration, *, allow_empty: bool) -> ConfigPlan:
        plan = plan_config(configuration, self.present())
        if not allow_empty:
            refuse_emptied(configuration, plan)
        return plan

    def _prepare(self, plan: ConfigPlan, going: Iterable[str]) -> Exchange:
        pids = {key: [each.pid for each in self.watcher(key).view().processes] for key in going}
        givers = AddressGivers(pids)
        exchange = self.world.sockets.prepare(plan.sockets, givers.hold)
        exchange.givers.update(givers.keys)
        return exchange

    def _request_change(
        self,
        make: Callable[[TicketId, ConfigRead], ArbiterInput],
        configuration: Configuration,
        exchange: Exchange,
    ) -> TicketFuture:
        self._daemon.host(configuration.plugins)
        late = frozenset(spec.name for spec in exchange.late)
        givers = frozenset(exchange.givers)
        reading = ConfigRead(configuration, self.world.sockets.specs, late, givers)
        ticket = self._inbox.request(lambda number: make(number, reading), exchange)
        ticket.when_settled(self._daemon.applied)
        return ticket
