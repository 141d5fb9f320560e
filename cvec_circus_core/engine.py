"""The composition: everything that one daemon is made of, built on a running event loop.

`daemon.py` wraps a program around it, `embed` a library. Taken down in the reverse order.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import zmq

from cvec_circus_core.config.mappings import (
    changed_spec,
    socket_from_mapping,
    spec_as_json,
    watcher_from_mapping,
)
from cvec_circus_core.control.endpoint_repair import EndpointOnFile, EndpointRepair
from cvec_circus_core.control.endpoints import EndpointSecurity, InternalEndpoints
from cvec_circus_core.control.publisher import EventPublisher
from cvec_circus_core.control.server import ControlServer
from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.extra_stats import ExtraStats
from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.ports import Supervisor, WatcherPort
from cvec_circus_core.hosting.classes import PluginFacts
from cvec_circus_core.hosting.threads import PluginThreads
from cvec_circus_core.model.access import Caller
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.model.events import Told, WatcherStopped
from cvec_circus_core.model.socket_specs import PLUGIN_STOP_GRACE, PluginSpec, SocketSpec
from cvec_circus_core.model.socket_use import socket_use
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.values import Struct, field, replace
from cvec_circus_core.model.views import PluginView
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.policy.launch import SpawnEnvironment
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.requests.audited import audited, audited_watcher, insider
from cvec_circus_core.requests.dispatch import Dispatcher
from cvec_circus_core.requests.service import RequestService
from cvec_circus_core.runtime.arbiter import (
    Applied,
    ApplyDaemonOptions,
    Configure,
    DaemonCallbacks,
    ReadConfig,
    apply_no_options,
    note_nothing,
    nothing_to_read,
    read_nothing,
)
from cvec_circus_core.runtime.bus import Bus
from cvec_circus_core.runtime.census_cache import BlockingCensus, SharedCensus
from cvec_circus_core.runtime.daemon_host import DaemonHost, NoDaemonHost
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.saved_config import NoSavedConfig, SavedConfig
from cvec_circus_core.runtime.socket_files import socket_files
from cvec_circus_core.runtime.streams.outputs import NoSubscribers, Outputs, close_outputs
from cvec_circus_core.runtime.supervisor import Introspection, LocalSupervisor
from cvec_circus_core.runtime.takeover_notes import has_begun, note_begun, output_journal
from cvec_circus_core.runtime.world import SpecReader, World
from cvec_circus_core.system.clock import AsyncioClock
from cvec_circus_core.system.processes.launcher import Launcher
from cvec_circus_core.system.processes.local import MakeOwner, local_owner
from cvec_circus_core.system.processes.notify_sockets import SharedNotifySocket
from cvec_circus_core.system.processes.priority import precedence
from cvec_circus_core.system.protocols import Clock
from cvec_circus_core.system.stats.run_queue import Load
from cvec_circus_core.system.virtualenvs import site_packages
from cvec_circus_core.system.working_dir import entered_through

log = logging.getLogger(__name__)

_LAST_WORDS = 1.0
"""Seconds for replies and events that are still on their way at the end."""

_LAST_OUTPUT = 5.0
"""Seconds for streams to take the last that processes have written."""


_UNWATCHED = 0.1
"""Seconds for last words to leave where nothing tells that they have."""
_HELD: list[zmq.Context[Any]] = []


class Parts(Struct, frozen=True):
    """What the composer may choose."""

    commands: Mapping[str, Command] = field(default_factory=dict)
    hooks: Hooks = field(default_factory=Hooks)
    configure: Configure = nothing_to_read
    read_config: ReadConfig = read_nothing
    apply_options: ApplyDaemonOptions = apply_no_options
    """Lives by options of the daemon's own that were changed at run time."""
    saved: SavedConfig = field(default_factory=NoSavedConfig)
    daemon_host: DaemonHost = field(default_factory=NoDaemonHost)
    """The processes that the daemon is made of."""
    applied: Applied = note_nothing
    """Is called once a configuration that was read again is in force."""
    owner: MakeOwner = field(default_factory=local_owner)
    """Makes the owner of processes and managed sockets."""
    launcher: Launcher = field(default_factory=Launcher)
    context: zmq.Context[Any] | None = None
    serves: bool = True
    """Whether endpoints are bound at all."""
    inner: InternalEndpoints = field(default_factory=InternalEndpoints)
    """Where processes of the daemon's come in while CURVE is spoken at its endpoints."""


class Engine:
    """A supervisor on the loop that is running: watchers, bus, and the endpoints in front."""

    def __init__(self, configuration: Configuration, parts: Parts) -> None:
        self.loop = asyncio.get_running_loop()
        self.clock = AsyncioClock(self.loop)
        self._load = Load()
        self._turns = FairQueue(self.clock, self.loop, self._load.runnable)
        owner = parts.owner(self.loop, parts.launcher, self._turns.add_exit)
        self.processes = owner.processes
        self.bus = Bus(self.clock)
        self._audit = Audit(self.clock, self.bus.tell)
        self._parts = parts
        self.store = owner.store
        self.outputs = Outputs(journal=output_journal(owner.store))
        self.sockets = ManagedSockets(owner.sockets, owner.store)
        self.unbound: Collection[SocketSpec] = ()
        """The sockets of plugins that could not be bound at the start."""
        self._configuration = configuration = self._bind_for_plugins(configuration)
        self._around = _surroundings(parts.hooks)
        census = SharedCensus(self.clock, _census)
        introspection = Introspection(
            census,
            ExtraStats(parts.hooks),
            lambda: self.bus.count,
            os.getpid(),
            self._plugin_views,
        )
        self.supervisor = LocalSupervisor(
            configuration,
            self._world(),
            introspection,
            DaemonCallbacks(
                parts.configure,
                parts.read_config,
                parts.apply_options,
                self.host,
                self._renew_access,
                parts.applied,
                parts.saved,
                parts.daemon_host,
            ),
        )
        self._context: zmq.Context[Any] | None = None
        self._security: EndpointSecurity | None = None
        self._repair: EndpointRepair | None = None
        dispatcher = Dispatcher(parts.commands, self.supervisor, self._audit)
        self.requests = RequestService(dispatcher, self.clock, self.loop)
        self._server: ControlServer | None = None
        self._publisher: EventPublisher | None = None
        self.failure: str | None = None
        """Why it ends, where it ends by itself: a watcher has failed."""
        self.bus.listen("failures", self._note_failure)
        self._plugins: PluginThreads | None = None

    @property
    def endpoints(self) -> tuple[str, str] | None:
        """The control and the event endpoint as they were bound, if they were."""
        if self._server is None or self._publisher is None:
            return None
        return self._server.endpoint, self._publisher.endpoint

    def seen_by(self, caller: Caller) -> Supervisor:
        """Return the daemon as a caller within this process acts on it: audited."""
        return audited(self.supervisor, caller, self._audit)

    def serve(self, realtime: int | None = None) -> None:
        """Open the managed sockets and bind the endpoints. Raises `CannotBind` with all problems.

        Bad sockets are left out where bad watchers are. ``realtime`` is the priority of the thread
        that carries messages; the caller has made sure that it is allowed.
        """
        spec: ArbiterSpec = self.supervisor.spec
        problems = self._open_sockets()
        if problems and not spec.skip_bad:
            raise CannotBind("; ".join(problems))
        for problem in problems:
            log.warning("%s", problem)
        if self._parts.serves:
            self._open_endpoints(spec, realtime)
        self._repair = EndpointRepair(self.loop, self._files)
        self.sockets.on_change = self._repair.watch

    def _bind_for_plugins(self, configuration: Configuration) -> Configuration:
        """Open the sockets that come with plugins, and return what can be without the others."""
        self.sockets.take_over()
        if not has_begun(self.store.inventory):
            for problem in self.sockets.open_all(configuration.plugin_sockets):
                log.warning("%s; its plugin goes on trying by itself", problem)
        brought = configuration.plugin_sockets
        self.unbound = [socket for socket in brought if socket.name not in self.sockets.names]
        return configuration.without(self.unbound)

    def _open_sockets(self) -> list[str]:
        if has_begun(self.store.inventory):
            # What is not there was closed at run time.
            return []
        return self.sockets.open_all(self._configuration.sockets)

    def begin(self) -> None:
        """Start what is to be started; or go on where an earlier daemon was, if there was one."""
        self.supervisor.take_over()
        if self.outputs.journal is not None:
            self.outputs.journal.drop_left()
        if not has_begun(self.store.inventory):
            self.supervisor.start_all()
        note_begun(self.store)

    def _open_endpoints(self, spec: ArbiterSpec, realtime: int | None) -> None:
        # Made here and not earlier: a context does not survive the forks of daemonizing.
        self._context = self._parts.context if _needs_given(spec) else None
        self._context = context = self._context or zmq.Context()
        if realtime is not None:
            context.set(zmq.THREAD_SCHED_POLICY, os.SCHED_RR)
            context.set(zmq.THREAD_PRIORITY, realtime)
        self._security = security = EndpointSecurity(
            context, self.supervisor, self.clock, self.loop, self._audit, self._parts.inner
        )
        self._server = ControlServer(
            context,
            security.place("endpoint"),
            security.authentication("endpoint"),
            self.requests,
            self.clock,
            self.loop,
            self._parts.inner.daemon_id,
        )
        self._publisher = EventPublisher(
            context,
            security.place("pubsub_endpoint"),
            security.authentication("pubsub_endpoint", readers_only=True),
            self.loop,
        )
        security.is_bound(self._server.endpoint)
        security.is_bound(self._publisher.endpoint)
        self.bus.listen("publisher", self._publisher.publish)
        self.outputs.subscribers = self._publisher

    def _note_failure(self, notice: Told) -> None:
        event = notice.event
        if isinstance(event, WatcherStopped) and event.fatal and self.failure is None:
            self.failure = f"watcher {event.watcher} has failed: {event.reason}"
            # Its machine is in the middle of a step.
            self.loop.call_soon(self.seen_by(insider(f"on_failure of {event.watcher}")).quit)

    def mend_endpoints(self) -> None:
        """Make files of endpoints and sockets again that were taken away, as when /tmp is swept."""
        if self._repair is not None:
            self._repair.mend()

    def _files(self) -> Iterator[EndpointOnFile]:
        """Yield what has a file that others may take away."""
        yield from (served for served in (self._server, self._publisher) if served is not None)
        yield from socket_files(self.sockets, self._renew_users)

    def _renew_users(self, socket: str) -> None:
        for actor in self.supervisor.actors():
            if socket in socket_use(actor.spec, self.sockets.names).names:
                actor.renew()

    def host(self, plugins: Iterable[PluginSpec]) -> None:
        """Run exactly these plugins in threads of ours from now on; needs endpoints."""
        specs = tuple(plugins)
        if self._server is None or self._publisher is None or self._context is None:
            return
        if self._plugins is None:
            if not specs:
                return
            inproc = f"inproc://circus-{id(self):x}"
            self._server.bind_too(inproc)
            facts = PluginFacts(
                self._server.endpoint, self._publisher.endpoint, self.supervisor.spec.check_delay
            )
            self._plugins = PluginThreads(
                self._context,
                inproc,
                facts,
                (self.bus.listen, self.bus.leave),
                precedence.join,
            )
        self._plugins.want(specs)

    def _plugin_views(self) -> Sequence[PluginView]:
        return () if self._plugins is None else self._plugins.views()

    def _renew_access(self) -> None:
        if self._security is not None:
            self._security.renew()

    def facts(self) -> PluginFacts | None:
        """Return what plugins in processes of their own have to know; needs endpoints."""
        if self.endpoints is None:
            return None
        spec, inner = self.supervisor.spec, self._parts.inner
        control, pubsub = self.endpoints
        bound = replace(spec, endpoint=control, pubsub_endpoint=pubsub)
        return PluginFacts(
            *inner.endpoints(bound),
            spec.check_delay,
            daemon_pid=os.getpid(),
            daemon_id=inner.daemon_id,
        )

    def started(self) -> None:
        """Tell the kernel plugins that the daemon is there."""
        self._parts.hooks.gather("circus_ready", supervisor=self.supervisor)

    def _left(self, seconds: float) -> float:
        """Return so many seconds, or what shutdown_timeout leaves of them."""
        return min(seconds, max(0.0, self.supervisor.end_by - self.clock.now()))

    async def close(self) -> None:
        """Take everything down. Processes that still run are left alone."""
        self._parts.hooks.gather("circus_stopping", supervisor=self.supervisor)
        if self._repair is not None:
            self._repair.close()
        all_ended = self._plugins is None or await self._plugins.close(
            self._left(PLUGIN_STOP_GRACE)
        )
        await close_outputs(self.outputs, self._left(_LAST_OUTPUT))
        if self._server is not None:
            await self.requests.wait_answered(_LAST_WORDS)
            self.requests.close()
            self._server.close(_LAST_WORDS)
        if self._publisher is not None:
            self.bus.leave("publisher")
            self.outputs.subscribers = NoSubscribers()
            self._publisher.close(_LAST_WORDS)
        if self._security is not None:
            self._security.close()
        if self._context is not None and not all_ended:
            # Ending it would wait for the socket of a plugin that hangs; so would forgetting it.
            _HELD.append(self._context)
            # The process may end at once: what was said last leaves in libzmq's own thread.
            await asyncio.sleep(self._left(_UNWATCHED))
        elif self._context is not None and self._context is not self._parts.context:
            # Lingering sockets hold the context: ending it may take until their last word is out.
            await asyncio.to_thread(self._context.term)
        self.supervisor.world.slow_paths.close()
        self.processes.close()
        self.supervisor.world.notify.close()
        self.sockets.close_all()
        self._load.close()

    def _surrounds(self) -> SpawnEnvironment:
        """Return what processes get; another object whenever the sockets have changed."""
        if self._around.sockets is not self.sockets.names:
            self._around = replace(self._around, sockets=self.sockets.names)
        return self._around

    def _seen_by_hooks(self, owner: str, watcher: WatcherPort) -> WatcherPort:
        return audited_watcher(watcher, insider(f"a hook of {owner}"), self._audit)

    def _world(self) -> World:
        return World(
            loop=self.loop,
            clock=self.clock,
            processes=self.processes,
            turns=self._turns,
            emit=self.bus.tell,
            around=self._surrounds,
            chance=random.random,
            outputs=self.outputs,
            sockets=self.sockets,
            options=_spec_reader(self.sockets),
            store=self.store,
            notify=SharedNotifySocket(self.store),
            seen_by_hooks=self._seen_by_hooks,
            supervisor_of=lambda owner: self.seen_by(insider(f"a hook of {owner}")),
        )


def _census(clock: Clock) -> BlockingCensus:
    # psutil takes memory, so what needs it is imported at the first question.
    census: BlockingCensus = import_module("cvec_circus_core.system.stats.census").Census(clock)
    return census


def _spec_reader(sockets: ManagedSockets) -> SpecReader:
    return SpecReader(
        lambda name, options: watcher_from_mapping(name, options, sockets=sockets.specs),
        lambda spec, options: changed_spec(spec, options, sockets=sockets.specs),
        spec_as_json,
        socket_from_mapping,
    )


def _surroundings(hooks: Hooks) -> SpawnEnvironment:
    environ = dict(os.environ)
    for extra in hooks.gather("circus_environment"):
        environ.update(extra)
    return SpawnEnvironment(
        environ=environ,
        import_path=tuple(path for path in sys.path if path),
        working_dir=entered_through(os.environ),
        site_packages=site_packages,
        python=f"python{sys.version_info.major}.{sys.version_info.minor}",
    )


def _needs_given(spec: ArbiterSpec) -> bool:
    """Tell whether a given ZeroMQ context is needed: only inproc endpoints are reached through it.

    For all else a context of our own is better, because one context has one authenticator.
    """
    return any(
        endpoint.startswith("inproc://") for endpoint in (spec.endpoint, spec.pubsub_endpoint)
    )
