"""The watchers by name, and how each is asked for what the machine of all wants of it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import assert_never

from cvec_circus_core.model import events
from cvec_circus_core.model.errors import AlreadyExists, CircusError, UnknownWatcher
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.outcome import Done, Failed
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.policy.arbiter.effects import (
    AddWatcher,
    ChangeWatcher,
    ReloadWatcher,
    ReplaceProcesses,
    SendWish,
    WatcherAsk,
)
from cvec_circus_core.policy.arbiter.inputs import Added
from cvec_circus_core.policy.watcher.spec_change import changed
from cvec_circus_core.runtime.streams.stream_settings import check_streams
from cvec_circus_core.runtime.tickets import TicketFuture, settled
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.watcher_inbox import Listener, nobody
from cvec_circus_core.runtime.world import World

log = logging.getLogger(__name__)


class WatcherRegistry:
    """Holds the watchers; ``listener`` is told of each whatever counts for the others."""

    def __init__(self, world: World, listener: Listener) -> None:
        self._world = world
        self._listener = listener
        self._watchers: dict[str, WatcherActor] = {}
        self._detached: list[WatcherActor] = []

    def watchers(self) -> tuple[WatcherActor, ...]:
        """Return all watchers, in the order in which they were added."""
        return tuple(self._watchers.values())

    def watcher(self, name: str) -> WatcherActor:
        """Return the watcher of this name. Raises `UnknownWatcher`."""
        actor = self._watchers.get(name_key(name))
        if actor is None:
            raise UnknownWatcher(name)
        return actor

    def add(self, spec: WatcherSpec) -> WatcherActor:
        """Add a watcher, stopped. Raises `AlreadyExists`, `BadMessage`."""
        key = name_key(spec.name)
        if key in self._watchers:
            raise AlreadyExists(spec.name)
        check_streams(self._world.outputs.sinks, spec)
        actor = self._watchers[key] = WatcherActor(spec, self._world)
        actor.inbox.listener = self._listener
        actor.notes.sync()
        self._listener(Added(key, actor.inbox.facts()))
        self._world.emit(events.WatcherAdded(spec.name))
        return actor

    def forget(self, key: str) -> None:
        """Forget a watcher. What it has left running is told by it alone."""
        actor = self._watchers.pop(key)
        actor.inbox.listener = nobody
        actor.notes.forget()
        self._world.emit(events.WatcherRemoved(actor.name))

    def tell(self, key: str, tell: Callable[[WatcherActor], None]) -> None:
        """Tell a watcher something; one that is broken keeps nobody else from it."""
        try:
            tell(self._watchers[key])
        except Exception:
            log.exception("watcher %s: it can not be told; going on with the others", key)

    def note_detached(self, actor: WatcherActor) -> None:
        """Remember that a watcher leaves its processes running."""
        self._detached = [*(old for old in self._detached if old.view().processes), actor]

    def detached_pids(self) -> frozenset[int]:
        """Return the pids that were left running on purpose, their watchers being forgotten."""
        return frozenset(
            process.pid for actor in self._detached for process in actor.view().processes
        )

    def leaving_pids(self) -> frozenset[int]:
        """Return the pids of the processes of all watchers that are about to go."""
        return frozenset(pid for actor in self._watchers.values() for pid in actor.leaving_pids())

    def ask(self, ask: WatcherAsk) -> TicketFuture:
        """Ask a watcher; a broken one must not keep the others from what they are asked."""
        try:
            return self._ticket_of(ask)
        except CircusError as error:
            return settled(self._world.loop, Failed(error))
        except Exception as error:
            log.exception("watcher %s: %r failed; going on with the others", ask.watcher, ask)
            failure = CircusError(f"watcher {ask.watcher} is broken: {error}")
            return settled(self._world.loop, Failed(failure))

    def _ticket_of(self, ask: WatcherAsk) -> TicketFuture:
        if isinstance(ask, AddWatcher):
            self.add(ask.spec)
            return settled(self._world.loop, Done())
        actor = self.watcher(ask.watcher)
        match ask:
            case SendWish(_, go, closes):
                return actor.wish(go, closes=closes)
            case ReloadWatcher(_, sequential):
                return actor.reload(sequential=sequential)
            case ReplaceProcesses():
                return actor.renew()
            case ChangeWatcher(_, spec, then):
                difference = changed(actor.spec, spec)
                ticket = actor.change_spec(spec, difference.keys, difference.needs)
                return ticket if then is None else actor.wish(then)
            case _:
                assert_never(ask)
