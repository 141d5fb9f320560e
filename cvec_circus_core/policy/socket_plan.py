"""What a new configuration means for the managed sockets that are there.

Sockets that were added at run time are in no file and stay. A socket whose address stays can often
go on: what concerns its file or its queue alone is put right in place, and nobody notices. Any
other change takes a new socket, whose users have to get new processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.socket_use import socket_use
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct, field, field_names

_IN_PLACE = frozenset({"backlog", "umask", "mode", "owner", "group", "replace", "use_papa"})


class SocketPlan(Struct, frozen=True):
    """By name: which sockets come, go, are made anew, or are put right in place."""

    add: Mapping[str, SocketSpec] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    renew: Mapping[str, SocketSpec] = field(default_factory=dict)
    adjust: Mapping[str, SocketSpec] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done."""
        return not (self.add or self.remove or self.renew or self.adjust)


def plan_sockets(
    old_file: Mapping[str, SocketSpec],
    new_file: Mapping[str, SocketSpec],
    in_force: Mapping[str, SocketSpec],
) -> SocketPlan:
    """Return what turns the sockets in force into those of the new file."""
    renew: dict[str, SocketSpec] = {}
    adjust: dict[str, SocketSpec] = {}
    for name, new in new_file.items():
        if name in in_force and new != in_force[name]:
            chosen = adjust if _differing(in_force[name], new) <= _IN_PLACE else renew
            chosen[name] = new
    return SocketPlan(
        add={name: spec for name, spec in new_file.items() if name not in in_force},
        remove=tuple(name for name in old_file if name not in new_file and name in in_force),
        renew=renew,
        adjust=adjust,
    )


def same_address(one: SocketSpec, other: SocketSpec) -> bool:
    """Tell whether two sockets can not be bound side by side."""
    if one.type != other.type or one.is_unix != other.is_unix:
        return one.is_unix and other.is_unix and one.path == other.path
    if one.is_unix:
        return one.path == other.path
    return one.port == other.port != 0


def users(specs: Iterable[WatcherSpec], name: str, known: Iterable[str]) -> list[str]:
    """Return the names of the watchers that use a socket."""
    names = tuple(known)
    return [spec.name for spec in specs if name in socket_use(spec, names).names]


def still_used(plan: SocketPlan, specs: Iterable[WatcherSpec]) -> Iterator[str]:
    """Yield a sentence for every socket that is to go and that a watcher has to have.

    A watcher that takes whatever there is has to have none.
    """
    by_name = [(spec, socket_use(spec, ())) for spec in specs]
    for name in plan.remove:
        for spec, use in by_name:
            if name in use.names:
                yield f"[socket:{name}] is gone, but watcher {spec.name} uses it"


def touched(
    plan: SocketPlan, specs: Mapping[str, WatcherSpec], before: Iterable[str], after: Iterable[str]
) -> tuple[str, ...]:
    """Return the keys of the watchers whose processes have to be replaced for the new sockets."""
    old, new = tuple(before), tuple(after)
    keys = []
    for key, spec in specs.items():
        use = socket_use(spec, new)
        if use != socket_use(spec, old) or any(name in plan.renew for name in use.names):
            keys.append(key)
    return tuple(keys)


def _differing(one: SocketSpec, other: SocketSpec) -> set[str]:
    return {name for name in field_names(one) if getattr(one, name) != getattr(other, name)}
