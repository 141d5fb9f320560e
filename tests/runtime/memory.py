"""A daemon in memory: real arbiter and watchers, over a clock and processes that are fakes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from cvec_circus_core.model.errors import CircusError, ConfigError
from cvec_circus_core.model.events import Event
from cvec_circus_core.model.launch import LaunchPlan
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.outcome import Outcome
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.runtime.arbiter import ArbiterActor
from cvec_circus_core.runtime.daemon_callbacks import DaemonCallbacks
from cvec_circus_core.runtime.fair_queue import FairQueue
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.tickets import TicketFuture
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.fake_sockets import FakeSocketOwner
from cvec_circus_core.system.fakes import Behaviour, FakeClock, FakeProcesses

AT_MOST = 400
"""Steps of time after which everything must have come to rest."""
STEP = 0.2
CLOSING = 1.0
"""Seconds in which the streams of a stopped watcher are closed."""
PASSES = 10
"""Passes of the loop after which everything that needs no time has happened."""


class MemoryDaemon:
    """An arbiter whose configuration can be edited, and whose processes do as they are told."""

    def __init__(self, *watchers: WatcherSpec, **options: Any) -> None:
        self.clock = FakeClock()
        self.behaviours: dict[str, Behaviour] = {}
        """How processes behave, by their command."""
        self.processes = FakeProcesses(self.clock, behave=self._behave)
        self.socket_owner = FakeSocketOwner()
        self.sockets = ManagedSockets(self.socket_owner)
        self.events: list[Event] = []
        self.file = Configuration(ArbiterSpec(**options), watchers)
        loop = asyncio.get_running_loop()
        turns = FairQueue(self.clock, loop, lambda: 1)
        world = World(loop, self.clock, self.processes, turns, self.sockets, self.events.append)
        self.mistake: ConfigError | None = None
        """What is wrong with the file."""
        self.hosted: list[tuple[PluginSpec, ...]] = []
        """Which plugins were to run in threads, each time."""
        host = self.hosted.append
        self.arbiter = ArbiterActor(self.file, world, DaemonCallbacks(self._read, host=host))

    def _read(self) -> Configuration:
        if self.mistake is not None:
            raise self.mistake
        return self.file

    def _behave(self, plan: LaunchPlan) -> Behaviour:
        return self.behaviours.get(plan.argv[0], self.processes.behaviour)

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(PASSES):
            await asyncio.sleep(0)
            self.processes.deliver()

    async def until(self, is_so: Callable[[], object]) -> None:
        """Let time pass until something is so."""
        for _ in range(AT_MOST):
            await self.settle()
            if is_so():
                return
            self.clock.advance(STEP)
        raise AssertionError("it never comes to rest")

    async def outcome(self, ticket: TicketFuture) -> Outcome:
        """Let time pass until a promise is settled."""
        await self.until(ticket.is_settled)
        return ticket.outcome()

    async def rest(self, ticket: TicketFuture) -> None:
        """Let time pass until a promise is kept. Raises what breaks it."""
        await self.until(ticket.is_settled)
        await ticket

    async def refused(self, ticket: TicketFuture) -> str:
        """Let time pass until a promise is broken, and return why."""
        try:
            await self.rest(ticket)
        except CircusError as error:
            return str(error)
        raise AssertionError("it was kept")

    async def is_at_rest(self) -> bool:
        """Tell whether nothing is left under way, once streams are closed."""
        await self.settle()
        self.clock.advance(CLOSING)
        await self.settle()
        return not self.clock.pending() and not self.processes.alive()

    def pids(self) -> dict[str, set[int]]:
        """Return the pids of all processes, by watcher."""
        return {
            name_key(watcher.name): {process.pid for process in watcher.view().processes}
            for watcher in self.arbiter.actors()
        }

    def watchers_of(self, kind: type[Event]) -> list[str]:
        """Return the watchers of all events of a kind so far, each once, in order."""
        events = [event for event in self.events if isinstance(event, kind)]
        return list(dict.fromkeys(str(event.watcher) for event in events))


def in_memory(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **values: Any) -> None:
        asyncio.run(test(*args, **values))

    return run
