"""The managed sockets of a daemon: kept open whatever their watchers do.

Nobody accepts here. The only thing that is asked of a socket is whether somebody knocks, for
watchers that start on demand (`knocking.py`).

Of a socket with so_reuseport each process gets one of its own, made just before the process. What
is kept here of it holds the place: bound, so that a mistake shows at once and any free port is one
and the same for all, but without listening, so that no connection ends here. A datagram would end
here even so; those sockets are tried out and not kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from cvec_circus_core.model.errors import CannotBind, Conflict
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.socket_use import Served
from cvec_circus_core.model.values import Struct, field, replace
from cvec_circus_core.model.views import SocketView
from cvec_circus_core.policy.socket_plan import SocketPlan, same_address
from cvec_circus_core.runtime.socket_activation import ActivationListener
from cvec_circus_core.system.net.sockets import CircusSocket

log = logging.getLogger(__name__)


class ManagedSockets:
    """Sockets by name."""

    def __init__(self) -> None:
        self._sockets: dict[str, CircusSocket] = {}
        self.knocking = ActivationListener()
        self._pending = Exchange(self, SocketPlan())
        self.descriptors: Mapping[str, int] = MappingProxyType({})
        """The number of each; another object whenever something has changed."""

    @property
    def specs(self) -> Mapping[str, SocketSpec]:
        """What was asked for, by name."""
        return {name: one.spec for name, one in self._sockets.items()}

    @property
    def own(self) -> frozenset[str]:
        """Those of which every process gets one of its own."""
        return frozenset(name for name, one in self._sockets.items() if one.spec.so_reuseport)

    def served(self, names: Iterable[str]) -> Served:
        """Return where some of them listen for connections."""
        listening = [self._sockets[name] for name in names if name in self._sockets]
        listening = [one for one in listening if one.listens]
        return Served(
            frozenset(one.port for one in listening if one.path is None),
            frozenset(one.path for one in listening if one.path is not None),
        )

    def views(self) -> list[SocketView]:
        """Return a picture of each, in the order of their numbers."""
        found = (_view(socket) for socket in self._sockets.values())
        return sorted(found, key=lambda one: one.fd)

    def put_all(self, specs: Iterable[SocketSpec]) -> list[str]:
        """Open all that can be opened; return a sentence for each that can not."""
        problems = []
        for spec in specs:
            try:
                self.put(spec)
            except CannotBind as error:
                problems.append(str(error))
        return problems

    def put(self, spec: SocketSpec) -> SocketView:
        """Open one more. Raises `CannotBind`, `Conflict` where there is one of this name."""
        if spec.name in self._sockets:
            raise Conflict(f"there is a socket named {spec.name!r} already")
        return self.take_in(opened(spec))

    def take_in(self, one: CircusSocket) -> SocketView:
        """Keep a socket that is open, in the place of one of the same name."""
        old = self._sockets.pop(one.name, None)
        one.take_place()
        self._sockets[one.name] = one
        if one.spec.so_reuseport:
            self.knocking.shut(one.name)
        else:
            self.knocking.open(one.name, one.fileno())
        if old is not None:
            old.close()
        self._changed()
        log.info("socket %s: at %s, descriptor %d", one.name, one.location, one.fileno())
        return _view(one)

    def drop(self, name: str) -> None:
        """Close one."""
        self.knocking.shut(name)
        one = self._sockets.pop(name)
        self._changed()
        one.close()
        log.info("socket %s: closed", name)

    def close(self) -> None:
        """Close all."""
        self._pending.abandon()
        for name in tuple(self._sockets):
            self.knocking.shut(name)
            self._sockets.pop(name).close()
        self._changed()

    def one_of_its_own(self, name: str) -> CircusSocket:
        """Return a socket for one process, which is for the caller to close."""
        kept = self._sockets[name]
        return _listening(replace(kept.spec, port=kept.port))

    def prepare(self, plan: SocketPlan) -> Exchange:
        """Open what a plan asks for beside what is there. Raises `CannotBind` with all problems.

        Nothing has changed then; and nothing changes before `Exchange.apply`. What was prepared
        before and not applied is given up.
        """
        self._pending.abandon()
        made: list[CircusSocket] = []
        late: list[SocketSpec] = []
        problems = []
        for name, spec in {**plan.add, **plan.renew}.items():
            try:
                made.append(opened(spec, self._sockets.get(name)))
            except CannotBind as error:
                old = self._sockets.get(name)
                if old is not None and same_address(old.spec, spec):
                    late.append(spec)
                else:
                    problems.append(str(error))
        if problems:
            for one in made:
                one.close()
            raise CannotBind("; ".join(problems))
        self._pending = Exchange(self, plan, made, tuple(late))
        return self._pending

    def adjust(self, spec: SocketSpec) -> None:
        """Put one right in its place. Raises `CannotBind`."""
        self._sockets[spec.name].adjust(spec)

    def rebind(self, spec: SocketSpec) -> None:
        """Close one and open it anew where it was. Raises `CannotBind`: the old one is back."""
        old = self._sockets[spec.name]
        self.knocking.shut(spec.name)
        old.close()
        try:
            made = opened(spec)
        except CannotBind:
            self.take_in(opened(replace(old.spec, port=old.port)))
            raise
        self.take_in(made)

    def _changed(self) -> None:
        numbers = {name: self._sockets[name].fileno() for name in sorted(self._sockets)}
        self.descriptors = MappingProxyType(numbers)


class Exchange(Struct, frozen=True):
    """A change of sockets that is ready to be made.

    ``late`` are those whose new address is held by their old selves: their users have to be
    stopped before `apply`.
    """

    shelf: ManagedSockets
    plan: SocketPlan
    made: list[CircusSocket] = field(default_factory=list)
    late: tuple[SocketSpec, ...] = ()

    def apply(self) -> list[str]:
        """Make it; return what went wrong with those that were late or put right in place."""
        while self.made:
            self.shelf.take_in(self.made.pop())
        for name in self.plan.remove:
            if name in self.shelf.descriptors:
                self.shelf.drop(name)
        problems = []
        for act, specs in (
            (self.shelf.rebind, self.late),
            (self.shelf.adjust, tuple(self.plan.adjust.values())),
        ):
            for spec in specs:
                try:
                    act(spec)
                except CannotBind as error:
                    problems.append(str(error))
        return problems

    def abandon(self) -> None:
        """Close what was opened for it."""
        while self.made:
            self.made.pop().close()


def opened(spec: SocketSpec, beside: CircusSocket | None = None) -> CircusSocket:
    """Return a socket that is open; one of the same file stands aside until it is taken in."""
    if not spec.so_reuseport:
        return _listening(spec, beside)
    tried = CircusSocket.of(spec)
    try:
        tried.bind_only()
    except CannotBind:
        tried.close()
        raise
    if tried.listens:
        return tried
    kept = CircusSocket.of(spec)
    kept.host, kept.port = tried.host, tried.port
    tried.close()
    return kept


def _listening(spec: SocketSpec, beside: CircusSocket | None = None) -> CircusSocket:
    one = CircusSocket.of(spec)
    try:
        if beside is not None and one.path is not None and one.path == beside.path:
            one.bind_aside()
        else:
            one.bind_and_listen()
    except CannotBind:
        one.close()
        raise
    return one


def _view(one: CircusSocket) -> SocketView:
    return SocketView(
        name=one.name,
        fd=one.fileno(),
        backlog=one.backlog,
        host=one.host if one.path is None else None,
        port=one.port if one.path is None else None,
        path=one.path,
    )
