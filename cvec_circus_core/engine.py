"""The composition: everything that one daemon is made of, built on a running event loop.

`daemon.py` wraps a program around it, `embed` a library. Taken down in the reverse order.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import zmq

from cvec_circus_core.config.mappings import spec_reader
from cvec_circus_core.control.endpoint_repair import EndpointOnFile, EndpointRepair
from cvec_circus_core.control.endpoints import EndpointSecurity, InternalEndpoints
from cvec_circus_core.control.served_endpoints import UNWATCHED, EngineContext, ServedEndpoints
from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.extra_stats import ExtraStats
from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.ports import Supervisor, WatcherPort
from cvec_circus_core.hosting.classes import PluginFacts
from cvec_circus_core.hosting.threads import PluginThreads
from cvec_circus_core.model.access import Caller
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.model.events import Told, WatcherStopped
from cvec_circus_core.model.socket_specs import PLUGIN_STOP_GRACE, PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.values import Struct, field, replace
from cvec_circus_core.model.views import PluginView
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.requests.audited import audited, audited_watcher, insider
from cvec_circus_core.requests.dispatch import Dispatcher
from cvec_circus_core.requests.service import RequestService
from cvec_circus_core.runtime.bus import Bus
from cvec_circus_core.runtime.census_cache import SharedCensus, census_of_psutil
from cvec_circus_core.runtime.daemon_callbacks import NO_DAEMON, DaemonCallbacks
from cvec_circus_core.runtime.daemon_environment import DaemonEnvironment
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.socket_files import socket_files
from cvec_circus_core.runtime.streams.outputs import NoSubscribers, Outputs, close_outputs
from cvec_circus_core.runtime.supervisor import Introspection, LocalSupervisor
from cvec_circus_core.runtime.takeover_notes import has_begun, note_begun, output_journal
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.clock import AsyncioClock
from cvec_circus_core.system.processes.launcher import Launcher
from cvec_circus_core.system.processes.local_owner import MakeOwner, local_owner
from cvec_circus_core.system.processes.notify_sockets import SharedNotifySocket
from cvec_circus_core.system.processes.priority import precedence
from cvec_circus_core.system.stats.run_queue import Load

log = logging.getLogger(__name__)

_LAST_OUTPUT = 5.0
"""Seconds for streams to take the last that processes have written."""


class Parts(Struct, frozen=True):
    """What the composer may choose."""

    commands: Mapping[str, Command] = field(default_factory=dict)
    hooks: Hooks = field(default_factory=Hooks)
    daemon: DaemonCallbacks = NO_DAEMON
    """What the program around does; plugins in threads and changed access are seen to here."""
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
        self._configuration = configuration = self._bind_for_plugins(configuration)
        self.supervisor = self._make_supervisor(configuration)
        self._context: EngineContext | None = None
        self._served: ServedEndpoints | None = None
        self._repair: EndpointRepair | None = None
        dispatcher = Dispatcher(parts.commands, self.supervisor, self._audit)
        self.requests = RequestService(dispatcher, self.clock, self.loop)
        self.failure: str | None = None
        """Why it ends, where it ends by itself: a watcher has failed."""
        self.bus.listen("failures", self._note_failure)
        self._plugins: PluginThreads | None = None

    @property
    def endpoints(self) -> tuple[str, str] | None:
        """The control and the event endpoint as they were bound, if they were."""
        return None if self._served is None else self._served.endpoints

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
        self._unbound = [socket for socket in brought if socket.name not in self.sockets.names]
        return configuration.without(self._unbound)

    def _open_sockets(self) -> list[str]:
        if has_begun(self.store.inventory):
            # What is not there was closed at run time.
            return []
        return self.sockets.open_all(self._configuration.sockets)

    def begin(self) -> None:
        """Start what is to be started; or go on where an earlier daemon was, if there was one."""
        self.host(self._configuration.plugins)
        self.supervisor.take_over()
        if self.outputs.journal is not None:
            self.outputs.journal.drop_left()
        if not has_begun(self.store.inventory):
            self.supervisor.start_all()
        note_begun(self.store)

    def _open_endpoints(self, spec: ArbiterSpec, realtime: int | None) -> None:
        # Made here and not earlier: a context does not survive the forks of daemonizing.
        self._context = EngineContext(spec, self._parts.context, realtime)
        context, inner = self._context.zmq, self._parts.inner
        security = EndpointSecurity(
            context, self.supervisor, self.clock, self.loop, self._audit, inner
        )
        self._served = ServedEndpoints(
            context, security, self.requests, self.clock, inner.daemon_id
        )
        self.bus.listen("publisher", self._served.publisher.publish)
        self.outputs.subscribers = self._served.publisher

    def _configure(self) -> Configuration:
        return self._parts.daemon.configure().without(self._unbound)

    async def _read_config(self) -> Configuration:
        return (await self._parts.daemon.read_config()).without(self._unbound)

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
        if self._served is not None:
            yield from (self._served.server, self._served.publisher)
        yield from socket_files(self.sockets, self.supervisor.renew_users)

    def host(self, plugins: Iterable[PluginSpec]) -> None:
        """Run exactly these plugins in threads of ours from now on; needs endpoints."""
        specs = tuple(plugins)
        if self._served is None or self._context is None:
            return
        if self._plugins is None:
            if not specs:
                return
            inproc = f"inproc://circus-{id(self):x}"
            self._served.server.bind_too(inproc)
            facts = PluginFacts(*self._served.endpoints, self.supervisor.spec.check_delay)
            ears = (self.bus.listen, self.bus.leave)
            self._plugins = PluginThreads(self._context.zmq, inproc, facts, ears, precedence.join)
        self._plugins.want(specs)

    def _plugin_views(self) -> Sequence[PluginView]:
        return () if self._plugins is None else self._plugins.views()

    def _renew_access(self) -> None:
        if self._served is not None:
            self._served.security.renew()

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
        if self._served is not None:
            await self._served.close()
            self.bus.leave("publisher")
            self.outputs.subscribers = NoSubscribers()
        if self._context is not None:
            await self._context.end(self._left(UNWATCHED), is_in_use=not all_ended)
        self.supervisor.world.slow_paths.close()
        self.processes.close()
        self.supervisor.world.notify.close()
        self.sockets.close_all()
        self._load.close()

    def _make_supervisor(self, configuration: Configuration) -> LocalSupervisor:
        introspection = Introspection(
            SharedCensus(self.clock, census_of_psutil),
            ExtraStats(self._parts.hooks),
            lambda: self.bus.count,
            os.getpid(),
            self._plugin_views,
        )
        callbacks = replace(
            self._parts.daemon,
            configure=self._configure,
            read_config=self._read_config,
            host=self.host,
            access_changed=self._renew_access,
        )
        return LocalSupervisor(configuration, self._world(), introspection, callbacks)

    def _seen_by_hooks(self, owner: str, watcher: WatcherPort) -> WatcherPort:
        return audited_watcher(watcher, insider(f"a hook of {owner}"), self._audit)

    def _world(self) -> World:
        return World(
            loop=self.loop,
            clock=self.clock,
            processes=self.processes,
            turns=self._turns,
            emit=self.bus.tell,
            around=DaemonEnvironment(self._parts.hooks, self.sockets).present,
            chance=random.random,
            outputs=self.outputs,
            sockets=self.sockets,
            options=spec_reader(lambda: self.sockets.names),
            store=self.store,
            notify=SharedNotifySocket(self.store),
            seen_by_hooks=self._seen_by_hooks,
            supervisor_of=lambda owner: self.seen_by(insider(f"a hook of {owner}")),
        )
