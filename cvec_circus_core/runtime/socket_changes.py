"""A new configuration's sockets, and the watchers that a change of them concerns.

First everything is opened that can be opened beside what is there: a failure changes nothing. Then
watchers whose socket has to give its very address to its successor are stopped, the sockets are
exchanged, and whoever uses another socket now gets new processes, gracefully.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from cvec_circus_core.model.errors import CannotBind, ConfigError
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Needs
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.socket_use import socket_use
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.views import WatcherStatus
from cvec_circus_core.policy.config_plan import Plan
from cvec_circus_core.policy.socket_plan import SocketPlan, plan_sockets, still_used, touched
from cvec_circus_core.policy.watcher.inputs import Go
from cvec_circus_core.policy.watcher.spec_change import changed
from cvec_circus_core.runtime.managed_sockets import Exchange
from cvec_circus_core.runtime.tickets import Ticket, wait_all
from cvec_circus_core.runtime.watcher import WatcherActor
from cvec_circus_core.runtime.world import World

_UP = (WatcherStatus.ACTIVE, WatcherStatus.STARTING)


class SocketChange:
    """One change that is ready to be made."""

    def __init__(
        self, exchange: Exchange, displaced: Sequence[WatcherActor], keen: Sequence[WatcherActor]
    ) -> None:
        self._exchange = exchange
        self._displaced = displaced
        self._keen = keen
        self._problems: list[str] = []

    async def apply(self) -> None:
        """Exchange the sockets; whoever is in the way is down meanwhile."""
        up = [one for one in self._displaced if one.status in _UP]
        await wait_all([one.wish(Go.STOP) for one in up])
        self._problems = self._exchange.apply()
        for one in up:
            one.wish(Go.START)

    def renew(self) -> list[Ticket]:
        """Give new processes to whoever uses another socket now. Raises `CannotBind`."""
        tickets = [one.renew() for one in self._keen]
        if self._problems:
            raise CannotBind("; ".join(self._problems))
        return tickets


class SocketChanges:
    """Makes changes, and remembers what stood in the file."""

    def __init__(
        self,
        world: World,
        from_file: Iterable[SocketSpec],
        watchers: Callable[[], Iterable[WatcherActor]],
    ) -> None:
        self._world = world
        self._from_file = {spec.name: spec for spec in from_file}
        self._watchers = watchers

    def look_ahead(
        self, sockets: Iterable[SocketSpec], watchers: Plan
    ) -> tuple[SocketPlan, Sequence[str]]:
        """Return what becomes of the sockets, and the watchers that get new processes for it.

        Raises `ConfigError` where a watcher would be left without its socket.
        """
        before = tuple(self._world.sockets.specs)
        new_file = {spec.name: spec for spec in sockets}
        plan = plan_sockets(self._from_file, new_file, self._world.sockets.specs)
        staying = self._staying(watchers)
        if told := list(still_used(plan, (*staying.values(), *watchers.add.values()))):
            raise ConfigError("; ".join(told))
        after = tuple(sorted({*before, *plan.add} - set(plan.remove)))
        return plan, touched(plan, staying, tuple(sorted(before)), after)

    def _staying(self, watchers: Plan) -> dict[str, WatcherSpec]:
        actors = {name_key(watcher.name): watcher for watcher in self._watchers()}
        return {
            key: watchers.change.get(key, one.spec)
            for key, one in actors.items()
            if key not in watchers.remove
        }

    def prepare(self, sockets: Iterable[SocketSpec], watchers: Plan) -> SocketChange:
        """Open what is new. Raises `CannotBind`, `ConfigError`: nothing has changed then."""
        sockets, before = tuple(sockets), tuple(self._world.sockets.specs)
        plan, keen = self.look_ahead(sockets, watchers)
        exchange = self._world.sockets.prepare(plan)
        self._from_file = {spec.name: spec for spec in sockets}
        actors = {name_key(watcher.name): watcher for watcher in self._watchers()}
        staying = self._staying(watchers)
        late = {spec.name for spec in exchange.late}
        return SocketChange(
            exchange,
            [actor for actor in actors.values() if late.intersection(_names(actor.spec, before))],
            [actors[key] for key in keen if not _is_renewed(actors[key].spec, staying[key])],
        )


def _names(spec: WatcherSpec, known: Sequence[str]) -> tuple[str, ...]:
    return socket_use(spec, known).names


def _is_renewed(old: WatcherSpec, new: WatcherSpec) -> bool:
    """Tell whether a watcher gets new processes anyway."""
    return Needs.NEW_PROCESSES in changed(old, new).needs
