"""Which watchers have to go before a managed socket can be bound where they listen themselves.

A server that bound its own port gets a managed socket at that very address: nobody can have both
at once, so the old processes go first, provided that the same configuration removes or replaces
them, and nobody else is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.policy.config_plan import ConfigPlan
from cvec_circus_core.policy.config_steps import Action
from cvec_circus_core.system.net.port_holders import (
    holders_of_path,
    holders_of_port,
    with_descendants,
)

_GOING = frozenset({Action.REMOVE, Action.RELOAD, Action.RESTART})


def going_watchers(plan: ConfigPlan) -> frozenset[str]:
    """Return the keys of the watchers whose present processes a plan ends."""
    return frozenset(step.key for step in plan.steps if step.action in _GOING)


class AddressGivers:
    """Looks for those that hold an address; ``pids`` are those of the ones that will go."""

    def __init__(self, pids: Mapping[str, Iterable[int]]) -> None:
        self._pids = pids
        self.keys: set[str] = set()
        """Those that were found to hold one."""

    def hold(self, spec: SocketSpec) -> bool:
        """Tell whether they, and nobody else, hold the address of a socket."""
        holders = set(
            holders_of_port(spec.port, spec.type)
            if spec.path is None
            else holders_of_path(spec.path)
        )
        keys = set()
        for key, pids in self._pids.items():
            if own := holders.intersection(with_descendants(pids)):
                holders -= own
                keys.add(key)
        if not keys or holders:
            return False
        self.keys |= keys
        return True
