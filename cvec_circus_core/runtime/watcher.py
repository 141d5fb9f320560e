"""One watcher at run time, as the port that commands, hooks and the library act by.

A verb becomes an input in the inbox of its machine (`watcher_inbox.py`) and gives a ticket. What
judges stands in `policy/watcher`, what acts where the effects go (`effect_runner.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cvec_circus_core.extend.ports import SignalSelection
from cvec_circus_core.model.errors import BadMessage, UnknownProcess
from cvec_circus_core.model.events import Announced
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Needs
from cvec_circus_core.model.outcome import Done
from cvec_circus_core.model.socket_specs import PLUGIN_SETTINGS
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import (
    OutputLine,
    OutputQuery,
    OutputView,
    WatcherStatus,
    WatcherView,
)
from cvec_circus_core.policy.arbiter.inputs import Wished
from cvec_circus_core.policy.watcher import inputs
from cvec_circus_core.policy.watcher.effects import Effect
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.policy.watcher.rollout import ONE_BY_ONE
from cvec_circus_core.policy.watcher.spec_change import changed
from cvec_circus_core.runtime.effect_runner import EffectRunner
from cvec_circus_core.runtime.hook_views import HookWatcher
from cvec_circus_core.runtime.manual_signals import (
    PendingSignals,
    is_indirect,
    send_indirectly,
)
from cvec_circus_core.runtime.process_notices import WatcherNotices
from cvec_circus_core.runtime.streams.watcher_streams import WatcherStreams
from cvec_circus_core.runtime.takeover_notes import KeptWatcher
from cvec_circus_core.runtime.tickets import TicketFuture, settled
from cvec_circus_core.runtime.watcher_hooks import WatcherHooks
from cvec_circus_core.runtime.watcher_inbox import WatcherInbox
from cvec_circus_core.runtime.world import World
from cvec_circus_core.system.protocols import OnSignalled, Scope


class WatcherActor:
    """The owner of one watcher's state: others post inputs and read views."""

    def __init__(self, spec: WatcherSpec, world: World) -> None:
        self._world = world
        self.inbox = WatcherInbox(spec, world, self._perform)
        self._state = self.inbox.state
        post = self.inbox.post
        self.hooks = WatcherHooks(
            world, post, lambda: self.spec, HookWatcher(self, world, spec.name)
        )
        notices = WatcherNotices(world, post, lambda: self.spec)
        self.notes = self.inbox.notes
        self.streams = WatcherStreams(world, lambda: self.spec, notices.on_output)
        self._effects = EffectRunner(
            world,
            post,
            self.inbox.settle,
            lambda: self.spec,
            self.streams,
            notices,
            self.hooks,
            self.notes,
            self._outdated_pids,
        )

    def _outdated_pids(self) -> tuple[int, ...] | None:
        if not self._state.is_replacing:
            return None
        return tuple(slot.pid for slot in self._state.slots.outdated.values())

    def leaving_pids(self) -> Iterator[int]:
        """Yield the pids of those that are about to go: to be replaced, or asked to go."""
        slots = self._state.slots
        for going in (slots.outdated, slots.stopping):
            yield from (slot.pid for slot in going.values())

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

    def take_over(self, kept: KeptWatcher) -> None:
        """Go on where an earlier daemon was, with the processes that it had."""
        if kept.memory is not None:
            self.inbox.post(kept.memory)
        self.notes.take_over(kept)
        for process in kept.processes:
            self._effects.take_over(process)
        self.streams.put_left()
        for slot in kept.waiting:
            self.inbox.post(slot)

    def view(self) -> WatcherView:
        """Return a picture of what is so; the same one until something happens."""
        return self.inbox.view()

    def environment(self, wid: int) -> Mapping[str, str]:
        """Return the environment of this slot, without a plugin's options. Raises `BadMessage`."""
        try:
            plan = self._effects.launches.launch().for_slot(wid)
            variables = dict(plan.with_numbers(self._world.sockets.numbers).env)
        except ValueError as error:
            raise BadMessage(str(error)) from None
        variables.pop(PLUGIN_SETTINGS, None)
        return variables

    def options(self, *, as_set: bool = False) -> Mapping[str, Any]:
        """Return all options as JSON values, free-form ones included.

        ``env`` and ``working_dir`` are what a process gets, or, ``as_set``, what was set.
        """
        options = dict(self._world.options.as_json(self.spec))
        if as_set:
            return options
        folder = self._world.around().working_dir or os.getcwd()
        options["working_dir"] = (
            os.path.join(folder, self.spec.working_dir or "").rstrip("/") or "/"
        )
        try:
            options["env"] = dict(self.environment(1))
        except BadMessage:
            pass  # what is wrong is told where it is started
        return options

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
        return self._own_wish(Go.START)

    def stop(self, reason: str | None = None, *, for_good: bool = False) -> TicketFuture:
        """Bring it down; with a ``reason`` it gives up."""
        if reason is None:
            return self._own_wish(Go.STOP)
        return self.inbox.request(
            lambda ticket: inputs.Wish(Go.STOP, ticket, reason=reason, for_good=for_good)
        )

    def restart(self) -> TicketFuture:
        """Bring it down and, once all is gone, up again."""
        return self._own_wish(Go.RESTART)

    def _own_wish(self, go: Go) -> TicketFuture:
        """Want something of this watcher alone, which counts more than older wishes for all."""
        self.inbox.listener(Wished(name_key(self.name)))
        return self.wish(go)

    def wish(self, go: Go, *, closes: bool = False) -> TicketFuture:
        """Want it up, down or anew."""
        if go is Go.LEAVE:
            self.streams.close_later()
        return self.inbox.request(lambda ticket: inputs.Wish(go, ticket, closes))

    def announce(self, event: str, body: Mapping[str, Any]) -> None:
        """Publish an event on behalf of a caller."""
        self._world.emit(Announced(self.name, event, body))

    def close(self) -> None:
        """Refuse later wishes to come up."""
        self.inbox.post(inputs.Close())

    def hasten(self) -> None:
        """Wait for no grace from now on."""
        self.hooks.abandon()
        self.inbox.post(inputs.Hasten())

    def reload(self, *, graceful: bool = True, sequential: bool = False) -> TicketFuture:
        """Replace all processes, or send SIGHUP where the spec says so."""
        if not graceful:
            return self.restart()
        self.hooks.look_again()
        if self._state.status is WatcherStatus.STOPPED:
            return self.wish(Go.START)
        if self.spec.send_hup:
            return self.inbox.request(inputs.Hangup)
        rollout = ONE_BY_ONE if sequential else None
        return self.inbox.request(lambda ticket: inputs.Renew(rollout, ticket))

    def renew(self) -> TicketFuture:
        """Replace all processes because what they were given has changed; a stopped one stays."""
        return self.inbox.request(lambda ticket: inputs.Renew(ticket=ticket))

    def resize(self, count: int) -> TicketFuture:
        """Keep this many processes; a singleton stays as it is."""
        if self.spec.singleton:
            done = Done(numprocesses=self.spec.numprocesses)
            return settled(self._world.loop, done)
        return self.inbox.request(lambda ticket: inputs.Resize(max(0, count), ticket))

    def change(self, options: Mapping[str, Any], *, renew: bool = True) -> TicketFuture:
        """Set options, all or none. Raises `UnknownOption`, `BadMessage`."""
        spec = self._world.options.changed(self.spec, options)
        needs = changed(self.spec, spec).needs
        if not renew:
            needs -= {Needs.NEW_PROCESSES}
        return self.change_spec(spec, tuple(options), needs)

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
        return self.inbox.request(lambda ticket: inputs.Change(spec, keys, ticket, renew))

    def kill(self, pid: int | None, signum: int | None, grace: float | None) -> TicketFuture:
        """Stop one process or all; they are replaced. Raises `UnknownProcess`."""
        pids = tuple(self._state.slots.by_pid) if pid is None else (self._known(pid),)
        return self.inbox.request(lambda ticket: inputs.Retire(pids, signum, grace, ticket))

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

    def _perform(self, effect: Effect) -> None:
        self._effects.perform(effect)

    def _known(self, pid: int) -> int:
        if pid not in self._state.slots.by_pid:
            raise UnknownProcess(pid, self.name)
        return pid

    def _pid_of(self, wid: int) -> int:
        slot = self._state.slots.by_wid.get(wid)
        if slot is None or slot.pid not in self._state.slots.by_pid:
            raise UnknownProcess(wid, self.name)
        return slot.pid
