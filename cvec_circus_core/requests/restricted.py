"""The daemon as a caller sees it who may not do everything.

Commands ask the `Supervisor` for what they need, so that is where limits hold, whatever a command
makes of its request, and for commands of other packages, too. A viewer finds all watchers and may
read; whoever a watcher lists may find that one and start, stop, renew, resize and signal it, but
not set its options: a command line is as good as the user that it runs as. Values of env, and what
else sounds secret, are for those who may do everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cvec_circus_core.extend.ports import (
    SignalSelection,
    SocketsPort,
    Supervisor,
    Ticket,
    WatcherPort,
)
from cvec_circus_core.model.access import NotForYou
from cvec_circus_core.model.errors import UnknownWatcher
from cvec_circus_core.model.options import Option
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.views import (
    OutputView,
    PluginView,
    SocketView,
    StatsSubject,
    WatcherView,
)
from cvec_circus_core.requests.redaction import spec_without_secrets, without_secrets
from cvec_circus_core.requests.restrictions import Restrictions


class RestrictedWatcher:
    """One watcher, for a visitor with limits."""

    __slots__ = ("_limits", "_real")

    def __init__(self, real: WatcherPort, limits: Restrictions) -> None:
        self._real = real
        self._limits = limits

    @property
    def name(self) -> str:
        """The name as it was written."""
        return self._real.name

    @property
    def spec(self) -> WatcherSpec:
        """What is wanted at the moment, without secrets."""
        return spec_without_secrets(self._real.spec)

    def view(self) -> WatcherView:
        """Return a picture of what is so."""
        return self._real.view()

    def options(self) -> Mapping[str, Any]:
        """Return all options as JSON values, without secrets."""
        return without_secrets(self._real.options())

    def recent(self, channel: str, lines: int, wid: int | None = None) -> Sequence[OutputView]:
        """Return the last lines of output."""
        return self._real.recent(channel, lines, wid)

    async def extended_stats(self, info: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an info object with what the hook adds."""
        return await self._real.extended_stats(info)

    def environment(self, wid: int) -> Mapping[str, str]:
        """Refuse: it is full of secrets."""
        raise self._limits.refusal_of_secrets()

    def change(self, options: Mapping[str, Any]) -> Ticket:
        """Refuse."""
        raise self._limits.refusal_of_secrets()

    def start(self) -> Ticket:
        """Bring it up."""
        return self._touched().start()

    def stop(self, reason: str | None = None) -> Ticket:
        """Bring it down."""
        return self._touched().stop(reason)

    def announce(self, event: str, body: Mapping[str, Any]) -> None:
        """Publish an event about it."""
        self._touched().announce(event, body)

    def restart(self) -> Ticket:
        """Bring it down, then up."""
        return self._touched().restart()

    def reload(self, *, graceful: bool = True, sequential: bool = False) -> Ticket:
        """Replace all processes."""
        return self._touched().reload(graceful=graceful, sequential=sequential)

    def resize(self, count: int) -> Ticket:
        """Keep this many processes."""
        return self._touched().resize(count)

    def kill(self, pid: int | None, signum: int | None, grace: float | None) -> Ticket:
        """Stop one process or all of them."""
        return self._touched().kill(pid, signum, grace)

    def signal(self, signum: int, selection: SignalSelection) -> None:
        """Send a signal."""
        self._touched().signal(signum, selection)

    def reopen(self) -> None:
        """Open the files of its streams anew."""
        self._touched().reopen()

    def _touched(self) -> WatcherPort:
        if self._limits.acts and self._limits.may_act_on(self._real.spec):
            return self._real
        raise self._limits.refusal_of(self.name)


class RestrictedSockets:
    """The managed sockets, to be looked at."""

    __slots__ = ("_limits", "_real")

    def __init__(self, real: SocketsPort, limits: Restrictions) -> None:
        self._real = real
        self._limits = limits

    def views(self) -> Sequence[SocketView]:
        """Return a picture of each."""
        if not self._limits.visitor.rights.reading:
            raise self._limits.refusal()
        return self._real.views()

    def add(self, name: str, options: Mapping[str, Any]) -> SocketView:
        """Refuse."""
        raise self._limits.refusal()

    def remove(self, name: str) -> None:
        """Refuse."""
        raise self._limits.refusal()


class RestrictedSupervisor:
    """The daemon, for a visitor with limits."""

    __slots__ = ("_limits", "_real")

    def __init__(self, real: Supervisor, limits: Restrictions) -> None:
        self._real = real
        self._limits = limits

    @property
    def spec(self) -> ArbiterSpec:
        """The daemon's own options."""
        return self._readable().spec

    @property
    def pid(self) -> int:
        """The pid of the daemon."""
        return self._real.pid

    @property
    def changes(self) -> int:
        """The number of the last event."""
        return self._real.changes

    @property
    def sockets(self) -> SocketsPort:
        """The managed sockets."""
        return RestrictedSockets(self._real.sockets, self._limits)

    def watcher(self, name: str) -> WatcherPort:
        """Return the watcher of this name, if it is there for him."""
        try:
            return self._limited(self._real.watcher(name))
        except UnknownWatcher:
            raise self._unknown(name) from None

    def watchers(self) -> Sequence[WatcherPort]:
        """Return all watchers that are there for him."""
        found = [watcher for watcher in self._real.watchers() if self._limits.may_see(watcher.spec)]
        if not found:
            self._readable()
        return [RestrictedWatcher(one, self._limits) for one in found]

    def matching(self, pattern: str, match: str) -> Sequence[WatcherPort]:
        """Return the watchers that a pattern means; if any is none of his, none."""
        try:
            return [self._limited(one) for one in self._real.matching(pattern, match)]
        except UnknownWatcher:
            raise self._unknown(pattern) from None

    def plugins(self) -> Sequence[PluginView]:
        """Return the plugins that run in threads of the daemon."""
        return self._readable().plugins()

    def option_of_watchers(self) -> Mapping[str, Option]:
        """Return the declared options of watchers by name."""
        return self._real.option_of_watchers()

    async def process_info(self, pids: Sequence[int], *, pss: bool = False) -> Mapping[int, Any]:
        """Return the info object of each pid."""
        return await self._real.process_info(pids, pss=pss)

    async def extra_stats(
        self, subjects: Sequence[StatsSubject]
    ) -> Mapping[int, Mapping[str, Any]]:
        """Return what other packages know of some processes."""
        return await self._real.extra_stats(subjects)

    async def own_info(self) -> Mapping[str, Any]:
        """Return the info object of the daemon itself."""
        return await self._readable().own_info()

    def add(self, name: str, cmd: str, options: Mapping[str, Any]) -> WatcherPort:
        """Refuse."""
        raise self._limits.refusal()

    def remove(self, name: str, *, nostop: bool = False) -> Ticket:
        """Refuse."""
        raise self._limits.refusal()

    def start_all(self) -> Ticket:
        """Refuse."""
        raise self._limits.refusal()

    def stop_all(self) -> Ticket:
        """Refuse."""
        raise self._limits.refusal()

    def restart_all(self) -> Ticket:
        """Refuse."""
        raise self._limits.refusal()

    def reload_all(self, *, graceful: bool = True, sequential: bool = False) -> Ticket:
        """Refuse."""
        raise self._limits.refusal()

    def plan_config(self) -> Mapping[str, Any]:
        """Refuse: it tells what stands in files."""
        raise self._limits.refusal_of_secrets()

    def reload_config(self) -> tuple[Mapping[str, Any], Ticket]:
        """Refuse."""
        raise self._limits.refusal()

    def quit(self) -> Ticket:
        """Refuse."""
        raise self._limits.refusal()

    def _readable(self) -> Supervisor:
        if not self._limits.visitor.rights.reading:
            raise self._limits.refusal()
        return self._real

    def _unknown(self, name: str) -> UnknownWatcher:
        """Return the error for a watcher that is not there for him.

        Who may not read does not learn whether it is there at all.
        """
        if self._limits.visitor.rights.reading:
            return UnknownWatcher(name)
        return NotForYou(name, self._limits.refusal())

    def _limited(self, watcher: WatcherPort) -> WatcherPort:
        spec = watcher.spec
        if not self._limits.may_see(spec):
            raise self._unknown(watcher.name)
        if self._limits.acts and not self._limits.may_act_on(spec):
            raise self._limits.refusal_of(watcher.name)
        return RestrictedWatcher(watcher, self._limits)
