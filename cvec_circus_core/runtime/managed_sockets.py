"""The managed sockets of a daemon: kept open whatever their watchers do.

Nobody accepts here. The only thing that is asked of a socket is whether a connection waits, for
watchers that start on demand (`socket_activation.py`). Opening, keeping and closing is for the
owner of the sockets, behind the port `Sockets`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from cvec_circus_core.model import plain_form
from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.errors import CannotBind, Conflict
from cvec_circus_core.model.launch import Served
from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.values import Struct, field, replace
from cvec_circus_core.model.views import SocketView
from cvec_circus_core.policy.socket_plan import SocketPlan, same_address
from cvec_circus_core.runtime.socket_activation import ActivationListener
from cvec_circus_core.runtime.takeover_notes import read_note
from cvec_circus_core.system.protocols import Sockets
from cvec_circus_core.system.state_store import StateStore

log = logging.getLogger(__name__)

_NOTE = "socket:"
_FIELDS = tuple(BindPlan._fields)


def _nobody_cares() -> None:
    pass


def _nobody_leaves(spec: SocketSpec) -> bool:
    return False


class ManagedSocket(Struct, frozen=True):
    """One socket: what was asked for, and what was opened."""

    spec: SocketSpec
    opened: OpenSocket

    def view(self) -> SocketView:
        """Return a picture of it."""
        opened = self.opened
        return SocketView(
            name=opened.name,
            fd=opened.number,
            backlog=opened.backlog,
            host=opened.host if opened.path is None else None,
            port=opened.port if opened.path is None else None,
            path=opened.path,
        )


class ManagedSockets:
    """Sockets by name."""

    def __init__(self, sockets: Sockets, store: StateStore | None = None) -> None:
        self._sockets = sockets
        self._store = store or StateStore()
        self._managed: dict[str, ManagedSocket] = {}
        self.activation = ActivationListener(sockets.watch)
        self._pending = Exchange(self, SocketPlan())
        self.names: tuple[str, ...] = ()
        """In order; another object whenever a socket has come or gone."""
        self.on_change: Callable[[], None] = _nobody_cares

    @property
    def specs(self) -> Mapping[str, SocketSpec]:
        """What was asked for, by name."""
        return MappingProxyType({name: each.spec for name, each in self._managed.items()})

    @property
    def numbers(self) -> Mapping[str, int]:
        """The descriptor of each with the owner of processes, by name."""
        return {name: each.opened.number for name, each in self._managed.items()}

    @property
    def per_process(self) -> frozenset[str]:
        """Those of which every process gets one of its own."""
        return frozenset(name for name, each in self._managed.items() if each.spec.so_reuseport)

    def served(self, names: Iterable[str]) -> Served:
        """Return where some of them listen for connections."""
        opened = [self._managed[name].opened for name in names if name in self._managed]
        listening = [each for each in opened if each.listens]
        return Served(
            frozenset(each.port for each in listening if each.path is None),
            frozenset(each.path for each in listening if each.path is not None),
        )

    def views(self) -> list[SocketView]:
        """Return a picture of each, in the order of their numbers."""
        return sorted((each.view() for each in self._managed.values()), key=lambda view: view.fd)

    def open_all(self, specs: Iterable[SocketSpec]) -> list[str]:
        """Open all that can be opened; return a sentence for each that can not."""
        problems = []
        for spec in specs:
            if spec.name in self._managed:
                continue
            try:
                self.open(spec)
            except CannotBind as error:
                problems.append(str(error))
        return problems

    def open(self, spec: SocketSpec) -> SocketView:
        """Open one more. Raises `CannotBind`, `Conflict` where there is one of this name."""
        if spec.name in self._managed:
            raise Conflict(f"there is a socket named {spec.name!r} already")
        return self.keep(ManagedSocket(spec, self._sockets.open(bind_plan(spec))))

    def keep(self, managed: ManagedSocket) -> SocketView:
        """Keep a socket that is open, in the place of one of the same name."""
        name, opened = managed.spec.name, managed.opened
        self.activation.remove(name)
        self._sockets.keep(opened.number)
        self._hold(managed)
        return managed.view()

    def take_over(self) -> None:
        """Have the sockets that an earlier daemon has left."""
        notes = self._store.inventory.notes
        for plan, opened in self._store.inventory.sockets:
            name = _NOTE + opened.name
            spec = read_note(notes[name], SocketSpec, name) if name in notes else spec_of(plan)
            self._hold(ManagedSocket(spec, opened))

    def _hold(self, managed: ManagedSocket) -> None:
        name, opened = managed.spec.name, managed.opened
        self._managed[name] = managed
        self._note(name, managed.spec)
        if not managed.spec.so_reuseport:
            self.activation.add(name)
        self._changed()
        log.info("socket %s: at %s, descriptor %d", name, opened.location, opened.number)

    def _note(self, name: str, spec: SocketSpec | None) -> None:
        if self._store.is_kept:
            self._store.note(_NOTE + name, None if spec is None else plain_form.dump(spec))

    def close(self, name: str) -> None:
        """Close one."""
        self.activation.remove(name)
        del self._managed[name]
        self._note(name, None)
        self._changed()
        self._sockets.close(name)
        log.info("socket %s: closed", name)

    def close_all(self) -> None:
        """Close all."""
        self._pending.abandon()
        for name in self._managed:
            self.activation.remove(name)
        self._managed.clear()
        self._sockets.close_all()
        self._changed()

    def prepare(
        self, plan: SocketPlan, will_be_free: Callable[[SocketSpec], bool] = _nobody_leaves
    ) -> Exchange:
        """Open what a plan asks for beside what is there. Raises `CannotBind` with all problems.

        ``will_be_free`` tells of an address whether those who hold it will be stopped. Nothing
        has changed then; and nothing changes before `Exchange.apply`. What was prepared before and
        not applied is given up.
        """
        self._pending.abandon()
        exchange = Exchange(self, plan)
        problems = []
        for name, spec in {**plan.add, **plan.renew}.items():
            try:
                opened = self._sockets.open(bind_plan(spec))
            except CannotBind as error:
                old = self._managed.get(name)
                is_own = old is not None and same_address(old.spec, spec)
                if is_own or will_be_free(spec):
                    exchange.late.append(spec)
                else:
                    problems.append(str(error))
            else:
                exchange.opened.append(ManagedSocket(spec, opened))
        if problems:
            exchange.abandon()
            raise CannotBind("; ".join(problems))
        self._pending = exchange
        return exchange

    def discard(self, managed: ManagedSocket) -> None:
        """Close a socket that was opened and not kept."""
        self._sockets.discard(managed.opened.number)

    def adjust(self, spec: SocketSpec) -> None:
        """Put one right in its place. Raises `CannotBind`."""
        adjusted = self._sockets.adjust(spec.name, bind_plan(spec))
        self._managed[spec.name] = ManagedSocket(spec, adjusted)
        self._note(spec.name, spec)

    def rebind(self, spec: SocketSpec) -> None:
        """Open one whose address is free now, its old self closed.

        Raises `CannotBind`: the old one is back.
        """
        old = self._managed.get(spec.name)
        if old is None:
            self.open(spec)
            return
        self.activation.remove(spec.name)
        self._sockets.close(spec.name)
        try:
            opened = self._sockets.open(bind_plan(spec))
        except CannotBind:
            same_port = replace(old.spec, port=old.opened.port)
            self.keep(ManagedSocket(same_port, self._sockets.open(bind_plan(same_port))))
            raise
        self.keep(ManagedSocket(spec, opened))

    def files(self) -> Mapping[str, str]:
        """Return the file of each that has one, by name."""
        paths = {name: each.opened.path for name, each in self._managed.items()}
        return {name: path for name, path in paths.items() if path is not None}

    def reopen(self, name: str) -> None:
        """Open one once more whose file is gone. Raises `CannotBind`."""
        spec = self._managed[name].spec
        self.keep(ManagedSocket(spec, self._sockets.open(bind_plan(spec))))

    def _changed(self) -> None:
        self.names = tuple(sorted(self._managed))
        self.on_change()


class Exchange(Struct, frozen=True):
    """A change of sockets that is ready to be made.

    ``late`` are those whose new address is held by their old selves, or by processes of watchers:
    their users, or those, have to be stopped before `apply`.
    """

    sockets: ManagedSockets
    plan: SocketPlan
    opened: list[ManagedSocket] = field(default_factory=list)
    late: list[SocketSpec] = field(default_factory=list)
    givers: set[str] = field(default_factory=set)
    """Keys of the watchers whose processes hold such an address."""

    def apply(self) -> list[str]:
        """Make it; return what went wrong with those that were late or put right in place."""
        while self.opened:
            self.sockets.keep(self.opened.pop())
        for name in self.plan.remove:
            if name in self.sockets.names:
                self.sockets.close(name)
        problems = []
        for act, specs in (
            (self.sockets.rebind, self.late),
            (self.sockets.adjust, self.plan.adjust.values()),
        ):
            for spec in specs:
                try:
                    act(spec)
                except CannotBind as error:
                    problems.append(str(error))
        return problems

    def abandon(self) -> None:
        """Close what was opened for it."""
        while self.opened:
            self.sockets.discard(self.opened.pop())


def bind_plan(spec: SocketSpec) -> BindPlan:
    """Return what the owner of the sockets has to know of a socket."""
    return BindPlan(**{name: getattr(spec, name) for name in _FIELDS})


def spec_of(plan: BindPlan) -> SocketSpec:
    """Return the spec of a socket that was planned without one."""
    return SocketSpec(**{name: getattr(plan, name) for name in _FIELDS})
