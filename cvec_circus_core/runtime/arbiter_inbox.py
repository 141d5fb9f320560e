"""The machine of all watchers at run time: an inbox before it, and its effects carried out.

Requests are stepped at once, so that the next reader sees what they ask for; facts of watchers on
the next pass of the loop, all that have come by then in one batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cvec_circus_core.model.errors import CannotBind, ShuttingDown
from cvec_circus_core.model.outcome import Done, Failed, Outcome
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
from cvec_circus_core.policy.arbiter.inputs import ArbiterInput
from cvec_circus_core.policy.arbiter.machine import step, wake_at
from cvec_circus_core.policy.arbiter.state import ArbiterState
from cvec_circus_core.policy.watcher.effects import Settle
from cvec_circus_core.policy.watcher.inputs import Tick, TicketId
from cvec_circus_core.runtime.alarm import Alarm
from cvec_circus_core.runtime.managed_sockets import Exchange
from cvec_circus_core.runtime.tickets import TicketCounter, TicketFuture, settled
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.watcher_registry import WatcherRegistry
from cvec_circus_core.runtime.world import World


class ArbiterInbox:
    """Owns the state: takes inputs, gives tickets, and has the watchers do what is decided."""

    def __init__(self, state: ArbiterState, world: World) -> None:
        self.state = state
        self.registry = WatcherRegistry(world, self._post)
        self._world = world
        self._exchanges: dict[TicketId, Exchange] = {}
        self._inbox: list[ArbiterInput] = []
        self._is_stepping = self._is_scheduled = False
        self._tickets = TicketCounter(world.loop)
        self._alarm = Alarm(world.clock, lambda: self._post(Tick()))
        self._last_hooks: asyncio.Task[None] | None = None

    def request(
        self, make: Callable[[TicketId], ArbiterInput], exchange: Exchange | None = None
    ) -> TicketFuture:
        """Post an input with a ticket of its own, and return the ticket.

        The machine says when the ``exchange`` of sockets that it brings is to be made.
        """
        number, ticket = self._tickets.issue()
        if exchange is not None:
            self._exchanges[number] = exchange
        self.put(make(number))
        return ticket

    def put(self, fact: ArbiterInput) -> None:
        """Put an input in that is stepped at once."""
        self._inbox.append(fact)
        self.step()

    def _post(self, fact: ArbiterInput) -> None:
        self._inbox.append(fact)
        if not (self._is_stepping or self._is_scheduled):
            self._is_scheduled = True
            self._world.loop.call_soon(self.step)

    def step(self) -> None:
        """Step what has come in."""
        if self._is_stepping:
            return
        self._is_stepping, self._is_scheduled = True, False
        try:
            while self._inbox:
                batch, self._inbox = self._inbox, []
                for effect in step(self.state, batch, self._world.clock.now()):
                    self._perform(effect)
        finally:
            self._is_stepping = False
        self._alarm.set(wake_at(self.state))

    def _perform(self, effect: ArbiterEffect) -> None:
        match effect:
            case Settle(number, outcome):
                self._exchanges.pop(number, None)
                self._tickets.settle(number, outcome)
            case CloseWatcher(key):
                self.registry.tell(key, WatcherActor.close)
            case HastenWatcher(key):
                self.registry.tell(key, WatcherActor.hasten)
            case ForgetWatcher(key):
                self.registry.forget(key)
            case ExchangeSockets(number, ask):
                problems = self._exchanges.pop(number).apply()
                failed = Failed(CannotBind("; ".join(problems)))
                self._answer(ask, failed if problems else Done())
            case AwaitHooks(ask):
                waiting = self._await_hooks(ask)
                self._last_hooks = self._world.loop.create_task(waiting, name="hooks")
            case _:
                self._ask(effect)

    def _ask(self, effect: WatcherAsk) -> None:
        if isinstance(effect, AddWatcher) and self.state.is_quitting:
            ticket = settled(self._world.loop, Failed(ShuttingDown()))
        else:
            ticket = self.registry.ask(effect)
        ticket.when_settled(lambda: self._answer(effect.ask, ticket.outcome()))

    def _answer(self, ask: AskId, outcome: Outcome) -> None:
        self._post(inputs.Answered(ask, outcome))

    async def _await_hooks(self, ask: AskId) -> None:
        """Wait for the last hooks, which tell of what has just ended."""
        try:
            for watcher in self.registry.watchers():
                await watcher.hooks.wait_done()
        finally:
            self._answer(ask, Done())
