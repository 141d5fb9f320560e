"""The daemon as the `Supervisor` port: all watchers, and what no watcher knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cvec_circus_core.extend.extra_stats import ExtraStats
from cvec_circus_core.model.errors import BadMessage, Conflict, UnknownWatcher
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Option, declared_options
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import (
    PluginView,
    SocketView,
    StatsSubject,
)
from cvec_circus_core.policy.name_patterns import matches
from cvec_circus_core.policy.order import start_order
from cvec_circus_core.policy.socket_plan import users
from cvec_circus_core.runtime.arbiter import ArbiterActor
from cvec_circus_core.runtime.census_cache import SharedCensus
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.tickets import Ticket
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.world import SpecReader


class Introspection(Struct, frozen=True):
    """How commands learn what no watcher knows."""

    census: SharedCensus
    extras: ExtraStats
    changes: Callable[[], int]
    """Counts the events so far."""
    pid: int
    """The daemon's own."""


class LocalSockets:
    """The managed sockets, as commands may see and change them."""

    def __init__(
        self,
        shelf: ManagedSockets,
        watchers: Callable[[], Iterable[WatcherActor]],
        options: SpecReader,
    ) -> None:
        self._shelf = shelf
        self._watchers = watchers
        self._options = options

    def views(self) -> Sequence[SocketView]:
        """Return a picture of each, in the order of their descriptors."""
        return self._shelf.views()

    def add(self, name: str, options: Mapping[str, Any]) -> SocketView:
        """Open one more; it is in no file, and gone when the daemon ends."""
        return self._shelf.put(self._options.socket(name, options))

    def remove(self, name: str) -> None:
        """Close one that no watcher uses."""
        key, there = name_key(name), self._shelf.descriptors
        if key not in there:
            raise BadMessage(f"no socket is named {name!r}")
        if using := users((watcher.spec for watcher in self._watchers()), key, there):
            raise Conflict(f"socket {name!r} is used by {', '.join(using)}")
        self._shelf.drop(key)


class LocalSupervisor:
    """The daemon, as commands see it."""

    def __init__(
        self,
        arbiter: ArbiterActor,
        introspection: Introspection,
    ) -> None:
        self._arbiter = arbiter
        self._options = arbiter.world.options
        self._introspection = introspection
        self.pid = introspection.pid
        self.plugins: Callable[[], Sequence[PluginView]] = tuple
        """Tells of the plugins in threads of the daemon; their host puts itself here."""

    @property
    def spec(self) -> ArbiterSpec:
        """The daemon's own options."""
        return self._arbiter.spec

    @property
    def changes(self) -> int:
        """The number of the last event."""
        return self._introspection.changes()

    @property
    def sockets(self) -> LocalSockets:
        """The managed sockets."""
        return LocalSockets(self._arbiter.world.sockets, self._arbiter.watchers, self._options)

    def watcher(self, name: str) -> WatcherActor:
        """Return the watcher of this name. Raises `UnknownWatcher`."""
        return self._arbiter.watcher(name)

    def watchers(self) -> Sequence[WatcherActor]:
        """Return all watchers, sorted by name."""
        return sorted(self._arbiter.watchers(), key=lambda watcher: name_key(watcher.name))

    def matching(self, pattern: str, match: str) -> Sequence[WatcherActor]:
        """Return the watchers that a pattern means, highest priority first."""
        is_meant = matches(pattern, match)
        ordered = start_order(self._arbiter.watchers())
        chosen = [watcher for watcher in ordered if is_meant(watcher.name)]
        if not chosen:
            raise UnknownWatcher(pattern)
        return chosen

    def add(self, name: str, cmd: str, options: Mapping[str, Any]) -> WatcherActor:
        """Add a watcher, stopped."""
        spec = self._options.new(name, {**options, "cmd": cmd})
        return self._arbiter.add(spec)

    def remove(self, name: str, *, nostop: bool = False) -> Ticket:
        """Stop a watcher, unless ``nostop``, and forget it."""
        return self._arbiter.remove(name, nostop=nostop)

    def start_all(self) -> Ticket:
        """Start every autostart watcher."""
        return self._arbiter.start_all()

    def stop_all(self) -> Ticket:
        """Stop every watcher."""
        return self._arbiter.stop_all()

    def restart_all(self) -> Ticket:
        """Stop everything, read the configuration again, start it."""
        return self._arbiter.restart_all()

    def reload_all(self, *, graceful: bool = True, sequential: bool = False) -> Ticket:
        """Reload every active watcher, one after another."""
        return self._arbiter.reload_all(graceful=graceful, sequential=sequential)

    def reopen_all(self) -> None:
        """Open the files of all streams anew."""
        for watcher in self._arbiter.watchers():
            watcher.reopen()

    def plan_config(self) -> Mapping[str, Any]:
        """Read the configuration again and tell what it means."""
        return self._arbiter.plan_config().as_json()

    def reload_config(self) -> tuple[Mapping[str, Any], Ticket]:
        """Read the configuration again, apply what differs, and tell what that is."""
        plan, ticket = self._arbiter.reload_config()
        return plan.as_json(), ticket

    def quit(self) -> Ticket:
        """Stop everything and end."""
        return self._arbiter.quit()

    def option_of_watchers(self) -> Mapping[str, Option]:
        """Return the declared options of watchers by name."""
        return declared_options(WatcherSpec)

    async def process_info(self, pids: Sequence[int], *, pss: bool = False) -> Mapping[int, Any]:
        """Return the info object of each pid, read in a worker thread."""
        return await self._introspection.census.take(pids, pss=pss)

    async def extra_stats(
        self, subjects: Sequence[StatsSubject]
    ) -> Mapping[int, Mapping[str, Any]]:
        """Return what other packages know of some processes."""
        return await self._introspection.extras.of(subjects)

    async def own_info(self) -> Mapping[str, Any]:
        """Return the info object of the daemon itself."""
        infos = await self._introspection.census.take([self.pid])
        info: Mapping[str, Any] = infos[self.pid]
        return info
