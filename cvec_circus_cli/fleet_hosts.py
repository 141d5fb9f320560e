"""The hosts of a fleet, and how circusctl reaches their daemons."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, NamedTuple

from cvec_circus_cli.settings import BadEndpoint, read_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cvec_circus_cli.requests import Connection
    from cvec_circus_cli.settings import Settings

    Expand = Callable[[Connection], tuple[Sequence[Mapping[str, Any]], bool]]
    """Returns the requests for one daemon, and whether they are told apart by their names."""


class FleetHost(NamedTuple):
    """One host of a fleet."""

    name: str
    settings: Settings | None
    """How it is reached; None where it tells no address."""
    trouble: str = ""


def fleet_hosts(settings: Settings, reply: Mapping[str, Any]) -> Iterator[FleetHost]:
    """Yield the hosts that are alive, as the daemon that was asked for them has answered."""
    for name, row in reply["hosts"].items():
        if not row["alive"]:
            continue
        own = copy.copy(settings)
        if name != reply.get("host"):
            address = str(row.get("address", ""))
            if not address:
                yield FleetHost(name, None, "tells no address: see address in its section [fleet]")
                continue
            try:
                own.endpoint = read_endpoint("address", address)
            except BadEndpoint as error:
                yield FleetHost(name, None, str(error))
                continue
        yield FleetHost(name, own)
