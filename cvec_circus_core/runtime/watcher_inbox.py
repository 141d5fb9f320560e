"""The machine of one watcher at run time: an inbox before it, and turns for its effects.

Inputs are posted by anybody in the event loop; the whole batch is stepped at once on the next pass
of the loop. Effects are performed in order, in turns shared with all other watchers, so a watcher
of ten thousand processes does not keep the daemon from answering.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from cvec_circus_core.model.errors import Conflict
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.outcome import Failed, Outcome
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import WatcherStatus, WatcherView
from cvec_circus_core.policy.arbiter.inputs import (
    Added,
    Became,
    Troubled,
    WatcherFacts,
    Wished,
)
from cvec_circus_core.policy.config_steps import Condition
from cvec_circus_core.policy.watcher import inputs
from cvec_circus_core.policy.watcher.effects import Effect
from cvec_circus_core.policy.watcher.inputs import Input, TicketId, Wanted
from cvec_circus_core.policy.watcher.machine import step, wake_at
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.views import view_of
from cvec_circus_core.runtime.alarm import Alarm
from cvec_circus_core.runtime.takeover_notes import TakeoverNotes
from cvec_circus_core.runtime.tickets import TicketCounter, TicketFuture
from cvec_circus_core.runtime.world import World

log = logging.getLogger(__name__)

MOST_TICKETS = 1000
"""Tickets that may be open at once per watcher; more are refused."""

News = Added | Became | Troubled | Wished
Listener = Callable[[News], None]


def nobody(news: News) -> None:
    """Take no notice."""


class WatcherInbox:
    """Owns the state: takes inputs and gives tickets, pictures, and effects to ``perform``."""

    def __init__(self, spec: WatcherSpec, world: World, perform: Callable[[Effect], None]) -> None:
        self.state = WatcherState(spec)
        self.listener: Listener = nobody
        """Is told whatever counts for other watchers."""
        self._world = world
        self._perform = perform
        self._inbox: list[Input] = []
        self._effects: deque[Effect] = deque()
        self._tickets = TicketCounter(world.loop)
        self._alarm = Alarm(world.clock, self._on_alarm)
        self._view: WatcherView | None = None
        self._facts = WatcherFacts(spec)
        self.notes = TakeoverNotes(self.state, world.store, world.clock)

    def facts(self) -> WatcherFacts:
        """Return what counts for other watchers; the same object until it changes."""
        state, old = self.state, self._facts
        condition = Condition.UP
        if state.wanted is Wanted.DOWN and not state.restart_when_down:
            condition = Condition.GAVE_UP if state.gave_up else Condition.DOWN
            condition = Condition.COMPLETED if state.completed else condition
        is_ready = state.status is WatcherStatus.ACTIVE and not state.slots.not_yet_ready
        is_same = old.spec is state.spec and old.status is state.status
        if not is_same or old.condition is not condition or old.is_ready is not is_ready:
            self._facts = WatcherFacts(state.spec, state.status, condition, is_ready)
        return self._facts

    def view(self) -> WatcherView:
        """Return a picture of what is so; the same one until something happens."""
        if self._view is None:
            self._view = view_of(self.state, self._world.clock.now())
        return self._view

    def request(self, make: Callable[[TicketId], Input]) -> TicketFuture:
        """Post an input with a ticket of its own, and return the ticket. Raises `Conflict`."""
        if len(self._tickets.open) >= MOST_TICKETS:
            self._make_room()
        number, ticket = self._tickets.issue()
        # At once, so that the next reader sees the wish: two incr in a row make two more.
        self._inbox.append(make(number))
        self._step()
        return ticket

    def _make_room(self) -> None:
        """Forget the oldest ticket for which nobody waits.

        What was wished with it is done all the same. A watcher whose processes never become ready
        keeps its tickets open for as long, and must stay one that can be commanded.
        """
        for number, ticket in self._tickets.open.items():
            if not ticket.is_awaited:
                del self._tickets.open[number]
                ticket.settle(Failed(Conflict(f"{MOST_TICKETS} newer requests are waiting")))
                self._inbox.append(inputs.Forget(number))
                return
        raise Conflict(
            f"watcher {self.state.spec.name} has {MOST_TICKETS} requests waiting already"
        )

    def settle(self, number: TicketId, outcome: Outcome) -> None:
        """Settle a ticket, as an effect says."""
        # One that was forgotten may have been on its way.
        self._tickets.settle(number, outcome)

    def post(self, fact: Input) -> None:
        """Put an input in; it is stepped on the next pass of the loop."""
        if self._is_trouble(fact):
            self.listener(Troubled(name_key(self.state.spec.name)))
        self._inbox.append(fact)
        if len(self._inbox) == 1:
            # Whatever else this pass of the loop brings is stepped in the same batch.
            self._world.loop.call_soon(self._step)

    def _is_trouble(self, fact: Input) -> bool:
        """Tell whether a process could not be started, or has ended before it was ready."""
        match fact:
            case inputs.SpawnFailed():
                return True
            case inputs.HookAnswered(_, _, allowed):
                return not allowed
            case inputs.Exited(pid):
                slot = self.state.slots.by_pid.get(pid)
                return slot is not None and not slot.was_ready
            case _:
                return False

    def _step(self) -> None:
        batch, self._inbox = self._inbox, []
        if not batch:
            return
        self._view = None
        idle = not self._effects
        self._effects.extend(step(self.state, batch, self._world.clock.now()))
        self.notes.sync()
        if idle and self._effects:
            self._world.turns.add(self._perform_next)
        self._alarm.set(wake_at(self.state))
        old_facts = self._facts
        if self.facts() is not old_facts:
            self.listener(Became(name_key(self.state.spec.name), self._facts))

    def _perform_next(self) -> None:
        """Perform one effect and take one more turn for the next: the order is kept."""
        effect = self._effects.popleft()
        try:
            self._perform(effect)
        except Exception:
            log.exception("watcher %s: %r failed", self.state.spec.name, effect)
        if self._effects:
            self._world.turns.add(self._perform_next)

    def _on_alarm(self) -> None:
        self.post(inputs.Tick())
