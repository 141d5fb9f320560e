"""One watcher at run time: an inbox in front of the machine, and a snapshot for readers.

Inputs are posted from anywhere in the event loop; the whole batch is stepped at once on the next
pass of the loop. Effects are performed in order, in turns shared with all other watchers, so a
watcher of ten thousand processes does not keep the daemon from answering.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from cvec_circus_core.extend.ports import SignalSelection
from cvec_circus_core.model.errors import BadMessage, Conflict, UnknownProcess
from cvec_circus_core.model.events import Announced
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Needs
from cvec_circus_core.model.outcome import Done, Failed, Outcome
from cvec_circus_core.model.socket_specs import PLUGIN_SETTINGS
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import (
    OutputLine,
    OutputQuery,
    OutputView,
    WatcherStatus,
    WatcherView,
)
from cvec_circus_core.policy.arbiter.inputs import Added, Became, Troubled, WatcherFacts
from cvec_circus_core.policy.config_steps import Condition
from cvec_circus_core.policy.watcher import inputs
from cvec_circus_core.policy.watcher.effects import Effect
from cvec_circus_core.policy.watcher.inputs import Go, Input, TicketId, Wanted
from cvec_circus_core.policy.watcher.machine import step, wake_at
from cvec_circus_core.policy.watcher.rollout import ONE_BY_ONE
from cvec_circus_core.policy.watcher.spec_change import changed
from cvec_circus_core.policy.watcher.state import WatcherState
from cvec_circus_core.policy.watcher.views import view_of
from cvec_circus_core.runtime.effect_runner import EffectRunner
from cvec_circus_core.runtime.hook_views import HookWatcher
from cvec_circus_core.runtime.manual_signals import (
    PendingSignals,
    is_indirect,
    send_indirectly,
)
from cvec_circus_core.runtime.process_notices import WatcherNotices
from cvec_circus_core.runtime.streams.watcher_streams import WatcherStreams
from cvec_circus_core.runtime.tickets import TicketFuture, settled
from cvec_circus_core.runtime.watcher_hooks import WatcherHooks
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.protocols import OnSignalled, Scope

log = logging.getLogger(__name__)

MOST_TICKETS = 1000
"""Tickets that may be open at once per watcher; more are refused."""

News = Added | Became | Troubled
Listener = Callable[[News], None]


def nobody(news: News) -> None:
    """Take no notice."""


class WatcherActor:
    """The owner of one watcher's state: others post inputs and read views."""

    def __init__(self, spec: WatcherSpec, world: World) -> None:
        self._world = world
        self._state = WatcherState(spec)
        self._inbox: list[Input] = []
        self._effects: deque[Effect] = deque()
        self._tickets: dict[TicketId, TicketFuture] = {}
        self._ticket_count = 0
        self.hooks = WatcherHooks(
            world, self._post, lambda: self.spec, HookWatcher(self, world, spec.name)
        )
        notices = WatcherNotices(world, self._post, lambda: self.spec)
        self.streams = WatcherStreams(world, lambda: self.spec, notices.on_output)
        self._effect_runner = EffectRunner(
            world, self._post, self._settle, lambda: self.spec, self.streams, notices, self.hooks
        )
        self._alarm: tuple[float, Callable[[], None]] | None = None
        self._view: WatcherView | None = None
        self._facts = WatcherFacts(spec)
        self.listener: Listener = nobody
        """Is told whatever counts for other watchers."""

    @property
    def name(self) -> str:
        """The name as it was written."""
        return self._state.spec.name

    @property
    def spec(self) -> WatcherSpec:
        """What is wanted at the moment."""
        return self._state.spec

    @property
    def status(self) -> WatcherStatus:
        """The state word."""
        return self._state.status

    def facts(self) -> WatcherFacts:
        """Return what counts for other watchers; the same object until it changes."""
        state, old = self._state, self._facts
        condition = Condition.UP
        if state.wanted is Wanted.DOWN and not state.restart_when_down:
            condition = Condition.GAVE_UP if state.gave_up else Condition.DOWN
        is_same = old.spec is state.spec and old.status is state.status
        if not is_same or old.condition is not condition:
            self._facts = WatcherFacts(state.spec, state.status, condition)
        return self._facts

    def view(self) -> WatcherView:
        """Return a picture of what is so; the same one until something happens."""
        if self._view is None:
            self._view = view_of(self._state, self._world.clock.now())
        return self._view

    def environment(self, wid: int) -> Mapping[str, str]:
        """Return the environment of this slot, without a plugin's options. Raises `BadMessage`."""
        try:
            plan = self._effect_runner.launch().for_slot(wid)
            variables = dict(plan.with_numbers(self._world.sockets.numbers).env)
        except ValueError as error:
            raise BadMessage(str(error)) from None
        variables.pop(PLUGIN_SETTINGS, None)
        return variables

    def options(self) -> Mapping[str, Any]:
        """Return all options as JSON values, free-form ones included."""
        return self._world.options.as_json(self.spec)

    def recent_lines(self, query: OutputQuery) -> Sequence[OutputLine]:
        """Return the last lines of all processes in their order. Raises `BadMessage`."""
        return self.streams.recent_lines(query)

    def recent(self, channel: str, lines: int, wid: int | None = None) -> Sequence[OutputView]:
        """Return the last lines of output that are known. Raises `BadMessage`."""
        return self.streams.recent(channel, lines, wid)

    async def extended_stats(self, info: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an info object with what the hook extended_stats made of it."""
        return await self.hooks.extended_stats(info)

    def reopen(self) -> None:
        """Open the files of its streams anew."""
        self.streams.reopen()

    def start(self) -> TicketFuture:
        """Bring it up."""
        return self.wish(Go.START)

    def stop(self, reason: str | None = None) -> TicketFuture:
        """Bring it down; with a ``reason`` it gives up."""
        return self.wish(Go.STOP, reason=reason)

    def restart(self) -> TicketFuture:
        """Bring it down and, once all is gone, up again."""
        return self.wish(Go.RESTART)

    def wish(self, go: Go, *, closes: bool = False, reason: str | None = None) -> TicketFuture:
        """Want it up, down or anew."""
        if go is Go.LEAVE:
            self.streams.close_later()
        return self._request(lambda ticket: inputs.Wish(go, ticket, closes, reason))

    def announce(self, event: str, body: Mapping[str, Any]) -> None:
        """Publish an event on behalf of a caller."""
        self._world.emit(Announced(self.name, event, body))

    def hasten(self) -> None:
        """Wait for no grace from now on."""
        self.hooks.abandon()
        self._post(inputs.Hasten())

    def reload(self, *, graceful: bool = True, sequential: bool = False) -> TicketFuture:
        """Replace all processes, or send SIGHUP where the spec says so."""
        if not graceful:
            return self.restart()
        self.hooks.look_again()
        if self._state.status is WatcherStatus.STOPPED:
            return self.wish(Go.START)
        if self.spec.send_hup:
            return self._request(inputs.Hangup)
        rollout = ONE_BY_ONE if sequential else None
        return self._request(lambda ticket: inputs.Renew(rollout, ticket))

    def renew(self) -> TicketFuture:
        """Replace all processes because what they were given has changed; a stopped one stays."""
        return self._request(lambda ticket: inputs.Renew(ticket=ticket))

    def resize(self, count: int) -> TicketFuture:
        """Keep this many processes; a singleton stays as it is."""
        if self.spec.singleton:
            return settled(self._world.loop, Done(numprocesses=self.spec.numprocesses))
        return self._request(lambda ticket: inputs.Resize(max(0, count), ticket))

    def change(self, options: Mapping[str, Any]) -> TicketFuture:
        """Set options, all or none. Raises `UnknownOption`, `BadMessage`."""
        spec = self._world.options.changed(self.spec, options)
        return self.change_spec(spec, tuple(options), changed(self.spec, spec).needs)

    def change_spec(
        self, spec: WatcherSpec, keys: tuple[str, ...], needs: frozenset[Needs]
    ) -> TicketFuture:
        """Keep to another spec from now on; replace processes where that is needed.

        Raises `CircusError` where a stream can not be had, in which case nothing was changed.
        """
        needs_pipes = Needs.NEW_STREAMS in needs and self.streams.change(spec)
        if Needs.NEW_HOOKS in needs or any(key.startswith("hooks") for key in keys):
            self.hooks.look_again()
        renew = Needs.NEW_PROCESSES in needs or needs_pipes
        return self._request(lambda ticket: inputs.Change(spec, keys, ticket, renew))

    def kill(self, pid: int | None, signum: int | None, grace: float | None) -> TicketFuture:
        """Stop one process or all; they are replaced. Raises `UnknownProcess`."""
        pids = tuple(self._state.slots.by_pid) if pid is None else (self._known(pid),)
        return self._request(lambda ticket: inputs.Retire(pids, signum, grace, ticket))

    def signal(self, signum: int, selection: SignalSelection) -> TicketFuture:
        """Send a signal; settled when it was sent. Raises `UnknownProcess`, `BadMessage`.

        A refusal is a `SystemProblem`: raised where it is known at once, else the ticket's failure.
        """
        pid = selection.pid
        if selection.wid is not None:
            pid = self._pid_of(selection.wid)
        pids = tuple(self._state.slots.by_pid) if pid is None else (self._known(pid),)
        ticket = TicketFuture(self._world.loop)
        if is_indirect(selection):
            send_indirectly(self._world.processes, self.name, pids, signum, selection, ticket)
        else:
            self._send_directly(pids, signum, PendingSignals(ticket, len(pids)))
        ticket.raise_if_failed()
        return ticket

    def _send_directly(self, pids: Sequence[int], signum: int, pending: PendingSignals) -> None:
        for pid in pids:
            send = partial(self._send_by_hand, pid, signum, pending.on_signalled)
            if not self.hooks.around_signal(pid, signum, send):
                pending.on_deferred()

    def _send_by_hand(self, pid: int, signum: int, on_signalled: OnSignalled) -> None:
        self._world.processes.signal(pid, signum, Scope.PROCESS, on_signalled)

    def _known(self, pid: int) -> int:
        if pid not in self._state.slots.by_pid:
            raise UnknownProcess(pid, self.name)
        return pid

    def _pid_of(self, wid: int) -> int:
        slot = self._state.slots.by_wid.get(wid)
        if slot is None or slot.pid not in self._state.slots.by_pid:
            raise UnknownProcess(wid, self.name)
        return slot.pid

    def _request(self, make: Callable[[TicketId], Input]) -> TicketFuture:
        if len(self._tickets) >= MOST_TICKETS:
            refusal = Conflict(f"watcher {self.name} has {MOST_TICKETS} requests waiting already")
            return settled(self._world.loop, Failed(refusal))
        self._ticket_count += 1
        number = TicketId(self._ticket_count)
        ticket = self._tickets[number] = TicketFuture(self._world.loop)
        # At once, so that the next reader sees the wish: two incr in a row make two more.
        self._inbox.append(make(number))
        self._step()
        return ticket

    def _settle(self, number: TicketId, outcome: Outcome) -> None:
        self._tickets.pop(number).settle(outcome)

    def _post(self, received: Input) -> None:
        is_refusal = isinstance(received, inputs.HookAnswered) and not received.allowed
        if is_refusal or isinstance(received, inputs.SpawnFailed):
            self.listener(Troubled(name_key(self.name)))
        self._inbox.append(received)
        if len(self._inbox) == 1:
            # Whatever else this pass of the loop brings is stepped in the same batch.
            self._world.loop.call_soon(self._step)

    def _step(self) -> None:
        batch, self._inbox = self._inbox, []
        if not batch:
            return
        self._view = None
        idle = not self._effects
        self._effects.extend(step(self._state, batch, self._world.clock.now()))
        if idle and self._effects:
            self._world.turns.add(self._perform_next)
        self._set_alarm()
        old_facts = self._facts
        if self.facts() is not old_facts:
            self.listener(Became(name_key(self.name), self._facts))

    def _perform_next(self) -> None:
        """Perform one effect and take one more turn for the next: the order is kept."""
        effect = self._effects.popleft()
        try:
            self._effect_runner.perform(effect)
        except Exception:
            log.exception("watcher %s: %r failed", self.name, effect)
        if self._effects:
            self._world.turns.add(self._perform_next)

    def _set_alarm(self) -> None:
        at = wake_at(self._state)
        if self._alarm is not None:
            if self._alarm[0] == at:
                return
            self._alarm[1]()
            self._alarm = None
        if at is not None:
            pause = max(0.0, at - self._world.clock.now())
            self._alarm = (at, self._world.clock.wait(pause, self._on_alarm))

    def _on_alarm(self) -> None:
        self._alarm = None
        self._post(inputs.Tick())
