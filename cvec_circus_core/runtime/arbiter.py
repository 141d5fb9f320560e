"""All watchers together at run time: an inbox in front of their machine.

There is no lock: each watcher has its own inbox. What one has to wait for of another is decided by
the machine of all watchers (`policy/arbiter`); here its effects are carried out. Requests are
stepped at once, so that the next reader sees what they ask for; facts of watchers on the next pass
of the loop, all that have come by then in one batch.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import cast

from cvec_circus_core.extend.ports import ConfigReading
from cvec_circus_core.model.errors import (
    CannotBind,
    CircusError,
    ConfigError,
    ShuttingDown,
)
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.arbiter import inputs
from cvec_circus_core.policy.arbiter.effects import (
    AddWatcher,
    ArbiterEffect,
    AskId,
    AwaitHooks,
    CloseWatcher,
    ExchangeSockets,
    ForgetWatcher,
    HastenWatcher,
    WatcherAsk,
)
from cvec_circus_core.policy.arbiter.inputs import ArbiterInput, ConfigRead
from cvec_circus_core.policy.arbiter.machine import step, wake_at
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
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Tick, TicketId
from cvec_circus_core.runtime.alarm import Alarm
from cvec_circus_core.runtime.daemon_host import DaemonHost, NoDaemonHost
from cvec_circus_core.runtime.managed_sockets import Exchange
from cvec_circus_core.runtime.saved_config import NoSavedConfig, SavedConfig
from cvec_circus_core.runtime.takeover_notes import (
    OperationNotes,
    kept_watchers,
    present_watchers,
)
from cvec_circus_core.runtime.tickets import TicketCounter, TicketFuture, settled
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.watcher_registry import WatcherRegistry
from cvec_circus_core.runtime.world import World

log = logging.getLogger(__name__)

Configure = Callable[[], Configuration]
"""Reads the configuration again. Raises `ConfigError` with all its mistakes."""

ReadConfig = Callable[[], Awaitable[Configuration]]
"""Does the same while the loop goes on."""

ApplyDaemonOptions = Callable[[ArbiterSpec, tuple[str, ...]], None]
"""Lives by the daemon's own options, of which these differ. Raises `ConfigError`."""


def nothing_to_read() -> Configuration:
    """Refuse: there is no configuration file."""
    raise ConfigError("there is no configuration file to read again")


async def read_nothing() -> Configuration:
    """Refuse: there is no configuration file."""
    return nothing_to_read()


def apply_no_options(spec: ArbiterSpec, keys: tuple[str, ...]) -> None:
    """Leave everything around the arbiter as it is."""


HostPlugins = Callable[[tuple[PluginSpec, ...]], None]
"""Runs exactly these plugins in threads of the daemon."""


def host_nothing(plugins: tuple[PluginSpec, ...]) -> None:
    """Run no plugin."""


def change_nothing() -> None:
    """Leave callers as they are."""


Applied = Callable[[], None]
"""Is told that the configuration that was read last is in force, as far as it could be applied."""


def note_nothing() -> None:
    """Take no notice."""


class DaemonCallbacks(Struct, frozen=True):
    """What is done by the program around the arbiter."""

    configure: Configure = nothing_to_read
    read_config: ReadConfig = read_nothing
    apply_options: ApplyDaemonOptions = apply_no_options
    host: HostPlugins = host_nothing
    access_changed: Callable[[], None] = change_nothing
    """Is called when the lists of those who may call may have changed."""
    applied: Applied = note_nothing
    saved: SavedConfig = field(default_factory=NoSavedConfig)
    daemon_host: DaemonHost = field(default_factory=NoDaemonHost)


NO_DAEMON = DaemonCallbacks()


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
        self._registry = WatcherRegistry(world, self._post)
        self._operations = OperationNotes(world.store)
        self._exchanges: dict[TicketId, Exchange] = {}
        self._inbox: list[ArbiterInput] = []
        self._is_stepping = self._is_scheduled = False
        self._tickets = TicketCounter(world.loop)
        self._alarm = Alarm(world.clock, self._on_alarm)
        self._quit: TicketFuture | None = None
        self._last_hooks: asyncio.Task[None] | None = None
        world.neighbours.watchers = self.actors
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
        ticket = self._request(lambda number: inputs.RemoveWatcher(number, key, nostop))
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
        start = self._request(lambda number: inputs.StartAll(number, done))
        return self._operations.note("start", start)

    def stop_all(self) -> TicketFuture:
        """Stop every watcher, lowest priority first; they end side by side."""
        return self._operations.note("stop", self._request(inputs.StopAll))

    def reload_all(self, *, graceful: bool = True, sequential: bool = False) -> TicketFuture:
        """Reload every active watcher, one after another, highest priority first."""
        ticket = self._request(lambda number: inputs.ReloadAll(number, graceful, sequential))
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
        exchange = self.world.sockets.prepare(plan.sockets)
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
        exchange = self.world.sockets.prepare(plan.sockets)
        ticket = self._request_change(inputs.ReloadConfig, configuration, exchange)
        self._operations.note("reloadconfig", ticket)
        self._daemon.access_changed()
        ticket.when_settled(self._daemon.access_changed)
        return plan, ticket

    def quit(self) -> TicketFuture:
        """Stop everything and end. It always wins, and a second call changes nothing."""
        if self._quit is None:
            self._quit = self._operations.note("quit", self._request(inputs.Quit))
            self._quit.when_settled(self.ended.set)
        return self._quit

    @property
    def end_by(self) -> float:
        """The moment at which a daemon that quits has to be gone; infinite without a limit."""
        return self._state.end_by

    def detached_pids(self) -> frozenset[int]:
        """Return the pids that were left running on purpose, their watchers being forgotten."""
        return self._registry.detached_pids()

    def hasten(self) -> None:
        """Give nobody any grace from now on."""
        self._inbox.append(inputs.HastenAll())
        self._step()

    def present(self) -> Present:
        """Return what is in force, beside what the files had when they were read last."""
        self._step()
        return self._state.present(self.world.sockets.specs)

    def _configuration(self, reading: ConfigReading | None) -> Configuration:
        return self._daemon.configure() if reading is None else cast(Configuration, reading)

    def _plan(self, configuration: Configuration, *, allow_empty: bool) -> ConfigPlan:
        plan = plan_config(configuration, self.present())
        if not allow_empty:
            refuse_emptied(configuration, plan)
        return plan

    def _request_change(
        self,
        make: Callable[[TicketId, ConfigRead], ArbiterInput],
        configuration: Configuration,
        exchange: Exchange,
    ) -> TicketFuture:
        self._daemon.host(configuration.plugins)
        late = frozenset(spec.name for spec in exchange.late)
        reading = ConfigRead(configuration, self.world.sockets.specs, late)

        def request(ticket: TicketId) -> ArbiterInput:
            self._exchanges[ticket] = exchange
            return make(ticket, reading)

        ticket = self._request(request)
        ticket.when_settled(self._daemon.applied)
        return ticket

    def _request(self, make: Callable[[TicketId], ArbiterInput]) -> TicketFuture:
        number, ticket = self._tickets.issue()
        self._inbox.append(make(number))
        self._step()
        return ticket

    def _post(self, fact: ArbiterInput) -> None:
        self._inbox.append(fact)
        if not (self._is_stepping or self._is_scheduled):
            self._is_scheduled = True
            self.world.loop.call_soon(self._step)

    def _step(self) -> None:
        if self._is_stepping:
            return
        self._is_stepping, self._is_scheduled = True, False
        try:
            while self._inbox:
                batch, self._inbox = self._inbox, []
                for effect in step(self._state, batch, self.world.clock.now()):
                    self._perform(effect)
        finally:
            self._is_stepping = False
        self._alarm.set(wake_at(self._state))

    def _perform(self, effect: ArbiterEffect) -> None:
        match effect:
            case Settle(number, outcome):
                self._exchanges.pop(number, None)
                self._tickets.settle(number, outcome)
            case CloseWatcher(key):
                self._registry.tell(key, WatcherActor.close)
            case HastenWatcher(key):
                self._registry.tell(key, WatcherActor.hasten)
            case ForgetWatcher(key):
                self._registry.forget(key)
            case ExchangeSockets(number, ask):
                problems = self._exchanges.pop(number).apply()
                failed = Failed(CannotBind("; ".join(problems)))
                self._answer(ask, failed if problems else Done())
            case AwaitHooks(ask):
                self._last_hooks = self.world.loop.create_task(self._await_hooks(ask), name="hooks")
            case _:
                self._ask(effect)

    def _ask(self, effect: WatcherAsk) -> None:
        if isinstance(effect, AddWatcher) and self.is_quitting:
            ticket = settled(self.world.loop, Failed(ShuttingDown()))
        else:
            ticket = self._registry.ask(effect)
        ticket.when_settled(lambda: self._answer(effect.ask, ticket.outcome()))

    def _answer(self, ask: AskId, outcome: Outcome) -> None:
        self._post(inputs.Answered(ask, outcome))

    async def _await_hooks(self, ask: AskId) -> None:
        """Wait for the last hooks, which tell of what has just ended."""
        try:
            for watcher in self.actors():
                await watcher.hooks.wait_done()
        finally:
            self._answer(ask, Done())

    def _on_alarm(self) -> None:
        self._post(Tick())
