"""The front desk: what commands see of the daemon (`Supervisor`), in words they can use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cvec_circus_core.extend.extra_stats import ExtraStats
from cvec_circus_core.extend.ports import SignalSelection
from cvec_circus_core.model.errors import BadMessage, Conflict, UnknownWatcher
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Option, declared_options
from cvec_circus_core.model.socket_specs import PLUGIN_SETTINGS, SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.model.views import (
    OutputView,
    PluginView,
    SocketView,
    StatsSubject,
    WatcherView,
)
from cvec_circus_core.policy.name_patterns import matches
from cvec_circus_core.policy.order import start_order
from cvec_circus_core.policy.socket_plan import users
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.policy.watcher.spec_change import changed
from cvec_circus_core.runtime.arbiter import ArbiterActor
from cvec_circus_core.runtime.census_cache import SharedCensus
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.runtime.tickets import Ticket
from cvec_circus_core.runtime.watcher import WatcherActor


class Reading(Struct, frozen=True):
    """How JSON values become specs and back; `config` knows, and the composition root passes it."""

    new: Callable[[str, Mapping[str, Any]], WatcherSpec]
    changed: Callable[[WatcherSpec, Mapping[str, Any]], WatcherSpec]
    as_json: Callable[[WatcherSpec], Mapping[str, Any]]
    socket: Callable[[str, Mapping[str, Any]], SocketSpec]


class Outlook(Struct, frozen=True):
    """How commands learn what no watcher knows."""

    census: SharedCensus
    extras: ExtraStats
    changes: Callable[[], int]
    """Counts the events so far."""
    pid: int
    """The daemon's own."""


class LocalWatcher:
    """One watcher, as commands may see and ask it."""

    __slots__ = ("_actor", "_reading")

    def __init__(self, actor: WatcherActor, reading: Reading) -> None:
        self._actor = actor
        self._reading = reading

    @property
    def name(self) -> str:
        """The name as it was written."""
        return self._actor.name

    @property
    def spec(self) -> WatcherSpec:
        """What is wanted at the moment."""
        return self._actor.spec

    def view(self) -> WatcherView:
        """Return a picture of what is so."""
        return self._actor.view()

    def environment(self, wid: int) -> Mapping[str, str]:
        """Return the environment of the process in one slot, without the options of a plugin."""
        variables = dict(self._actor.environment(wid))
        variables.pop(PLUGIN_SETTINGS, None)
        return variables

    async def extended_stats(self, info: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an info object with what the hook extended_stats made of it."""
        return await self._actor.hooks.extended_stats(info)

    def start(self) -> Ticket:
        """Bring it up."""
        return self._actor.wish(Go.START)

    def stop(self, reason: str | None = None) -> Ticket:
        """Bring it down."""
        return self._actor.wish(Go.STOP, reason=reason)

    def announce(self, event: str, body: Mapping[str, Any]) -> None:
        """Publish an event of somebody else's."""
        self._actor.announce(event, body)

    def restart(self) -> Ticket:
        """Bring it down, then up."""
        return self._actor.wish(Go.RESTART)

    def reload(self, *, graceful: bool = True, sequential: bool = False) -> Ticket:
        """Replace all processes."""
        return self._actor.reload(sequential=sequential) if graceful else self.restart()

    def resize(self, count: int) -> Ticket:
        """Keep this many processes; a singleton stays as it is."""
        return self._actor.resize(max(0, count))

    def change(self, options: Mapping[str, Any]) -> Ticket:
        """Set options, all or none."""
        new = self._reading.changed(self.spec, options)
        what = changed(self.spec, new)
        return self._actor.change(new, tuple(options), what.needs)

    def kill(self, pid: int | None, signum: int | None, grace: float | None) -> Ticket:
        """Stop one process or all of them; they are replaced."""
        return self._actor.kill(pid, signum, grace)

    def signal(self, signum: int, selection: SignalSelection) -> None:
        """Send a signal."""
        self._actor.signal(signum, selection)

    def reopen(self) -> None:
        """Open the files of its streams anew."""
        self._actor.streams.reopen()

    def recent(self, channel: str, lines: int, wid: int | None = None) -> Sequence[OutputView]:
        """Return the last lines of output that are known."""
        return self._actor.streams.recent(channel, lines, wid)

    def options(self) -> Mapping[str, Any]:
        """Return all options as JSON values."""
        return self._reading.as_json(self.spec)


class LocalSockets:
    """The managed sockets, as commands may see and change them."""

    def __init__(
        self,
        shelf: ManagedSockets,
        watchers: Callable[[], Iterable[WatcherActor]],
        reading: Reading,
    ) -> None:
        self._shelf = shelf
        self._watchers = watchers
        self._reading = reading

    def views(self) -> Sequence[SocketView]:
        """Return a picture of each, in the order of their descriptors."""
        return self._shelf.views()

    def add(self, name: str, options: Mapping[str, Any]) -> SocketView:
        """Open one more; it is in no file, and gone when the daemon ends."""
        return self._shelf.put(self._reading.socket(name, options))

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
        reading: Reading,
        outlook: Outlook,
    ) -> None:
        self._arbiter = arbiter
        self._reading = reading
        self._outlook = outlook
        self.pid = outlook.pid
        self.plugins: Callable[[], Sequence[PluginView]] = tuple
        """Tells of the plugins in threads of the daemon; their host puts itself here."""

    @property
    def spec(self) -> ArbiterSpec:
        """The daemon's own options."""
        return self._arbiter.spec

    @property
    def changes(self) -> int:
        """The number of the last event."""
        return self._outlook.changes()

    @property
    def sockets(self) -> LocalSockets:
        """The managed sockets."""
        return LocalSockets(self._arbiter.world.sockets, self._arbiter.watchers, self._reading)

    def watcher(self, name: str) -> LocalWatcher:
        """Return the watcher of this name. Raises `UnknownWatcher`."""
        return LocalWatcher(self._arbiter.watcher(name), self._reading)

    def watchers(self) -> Sequence[LocalWatcher]:
        """Return all watchers, sorted by name."""
        actors = sorted(self._arbiter.watchers(), key=lambda one: name_key(one.name))
        return [LocalWatcher(actor, self._reading) for actor in actors]

    def matching(self, pattern: str, match: str) -> Sequence[LocalWatcher]:
        """Return the watchers that a pattern means, highest priority first."""
        wanted = matches(pattern, match)
        found = [one for one in start_order(self._arbiter.watchers()) if wanted(one.name)]
        if not found:
            raise UnknownWatcher(pattern)
        return [LocalWatcher(actor, self._reading) for actor in found]

    def add(self, name: str, cmd: str, options: Mapping[str, Any]) -> LocalWatcher:
        """Add a watcher, stopped."""
        spec = self._reading.new(name, {**options, "cmd": cmd})
        return LocalWatcher(self._arbiter.add(spec), self._reading)

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
        return await self._outlook.census.take(pids, pss=pss)

    async def extra_stats(
        self, subjects: Sequence[StatsSubject]
    ) -> Mapping[int, Mapping[str, Any]]:
        """Return what other packages know of some processes."""
        return await self._outlook.extras.of(subjects)

    async def own_info(self) -> Mapping[str, Any]:
        """Return the info object of the daemon itself."""
        infos = await self._outlook.census.take([self.pid])
        info: Mapping[str, Any] = infos[self.pid]
        return info
