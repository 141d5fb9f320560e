"""The daemon as the `Supervisor` port: all watchers, and what no watcher knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cvec_circus_core.extend.extra_stats import ExtraStats
from cvec_circus_core.model.errors import BadMessage, Conflict
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Option, declared_options
from cvec_circus_core.model.spec_reader import SpecReader
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import (
    PluginView,
    RuntimeChange,
    SocketView,
    StatsSubject,
)
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.policy.name_patterns import matching
from cvec_circus_core.policy.socket_plan import users
from cvec_circus_core.runtime.arbiter import ArbiterActor
from cvec_circus_core.runtime.census_cache import SharedCensus
from cvec_circus_core.runtime.daemon_callbacks import NO_DAEMON, DaemonCallbacks
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.saved_config import changes_of, refuse_lossy
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.world import World


class Introspection(Struct, frozen=True):
    """How commands learn what no watcher knows."""

    census: SharedCensus
    extras: ExtraStats
    changes: Callable[[], int]
    """Counts the events so far."""
    pid: int
    """The daemon's own."""
    plugins: Callable[[], Sequence[PluginView]] = tuple
    """Tells of the plugins in threads of the daemon."""


class LocalSockets:
    """The managed sockets, as commands may see and change them."""

    def __init__(
        self,
        sockets: ManagedSockets,
        watchers: Callable[[], Iterable[WatcherActor]],
        options: SpecReader,
    ) -> None:
        self._sockets = sockets
        self._watchers = watchers
        self._options = options

    def views(self) -> Sequence[SocketView]:
        """Return a picture of each, in the order of their descriptors."""
        return self._sockets.views()

    def add(self, name: str, options: Mapping[str, Any]) -> SocketView:
        """Open one more; it is in no file, and gone when the daemon ends."""
        return self._sockets.open(self._options.socket(name, options))

    def remove(self, name: str) -> None:
        """Close one that no watcher uses."""
        key, names = name_key(name), self._sockets.names
        if key not in names:
            raise BadMessage(f"no socket is named {name!r}")
        if using := users((watcher.spec for watcher in self._watchers()), key, names):
            raise Conflict(f"socket {name!r} is used by {', '.join(using)}")
        self._sockets.close(key)


class LocalSupervisor(ArbiterActor):
    """The owner of all watchers as the port: watchers by name and pattern, sockets, statistics."""

    def __init__(
        self,
        configuration: Configuration,
        world: World,
        introspection: Introspection,
        daemon: DaemonCallbacks = NO_DAEMON,
    ) -> None:
        super().__init__(configuration, world, daemon)
        self._introspection = introspection
        self.pid = introspection.pid
        self.sockets = LocalSockets(world.sockets, self.actors, world.options)

    @property
    def changes(self) -> int:
        """The number of the last event."""
        return self._introspection.changes()

    def plugins(self) -> Sequence[PluginView]:
        """Return a picture of each plugin in a thread of the daemon."""
        return self._introspection.plugins()

    def watchers(self) -> Sequence[WatcherActor]:
        """Return all watchers, sorted by name."""
        return sorted(self.actors(), key=lambda watcher: name_key(watcher.name))

    def matching(self, pattern: str, match: str) -> Sequence[WatcherActor]:
        """Return the watchers that a pattern means, highest priority first."""
        return matching(self.actors(), pattern, match)

    def add(self, name: str, cmd: str, options: Mapping[str, Any]) -> WatcherActor:
        """Add a watcher, stopped."""
        return self.add_spec(self.world.options.new(name, {**options, "cmd": cmd}))

    def runtime_changes(self) -> Sequence[RuntimeChange]:
        """Return how watchers differ from the configuration, by what was done at run time."""
        return changes_of(self.present(), self.world.options.as_json)

    async def save_config(self, sections: Mapping[str, Mapping[str, str]]) -> str:
        """Write sections into the file beside the configuration file; return its path.

        Raises `ConfigError` where they do not say what is in force.
        """
        watchers = await self.saved.preview(sections)
        refuse_lossy(self.runtime_changes(), self.present(), watchers)
        return await self.saved.write(sections)

    def reopen_all(self) -> None:
        """Open the files of all streams anew."""
        for watcher in self.actors():
            watcher.reopen()

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

    def daemon_facts(self) -> Mapping[str, object]:
        """Return the pids, versions and starts of the daemon."""
        return self.daemon_host.facts()

    async def upgrade(self, venv: str | None, watch: float, limit: float) -> Mapping[str, object]:
        """Have another daemon take our place."""
        return await self.daemon_host.upgrade(venv, watch, limit)

    async def own_info(self) -> Mapping[str, Any]:
        """Return the info object of the daemon itself."""
        infos = await self._introspection.census.take([self.pid])
        info: Mapping[str, Any] = infos[self.pid]
        return info
