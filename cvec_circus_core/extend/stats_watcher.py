"""How statistics come to run: as a watcher of the daemon's own, unless a plugin section has them.

Statistics are a plugin like others, but they have an endpoint, so they have to know who may read.
The lists go with the order, not by a question: when they change, the order has changed, and the
process is replaced. Whoever was let in by the old lists is out then.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable
from typing import Any

from cvec_circus_core.extend.plugin_classes import PluginFacts, PluginNames
from cvec_circus_core.extend.plugin_watchers import Hosts, watcher_of
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.socket_specs import PLUGIN_STOP_GRACE, PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import replace

ACCESS = (
    *("endpoint_owner", "allow_users", "allow_groups", "viewers", "insecure"),
    *("curve_key", "curve_authorized"),
)
"""The options of the daemon that say who may read."""

WATCHER = "circusd-stats"
_PLUGIN = "statistics"
_RUNNER = "cvec_circus_cli.circusd_stats"


def with_orders(hosts: Hosts, spec: ArbiterSpec, names: PluginNames) -> Hosts:
    """Tell those plugins that are statistics where to publish, and who may read."""

    def ordered(some: Iterable[PluginSpec]) -> tuple[PluginSpec, ...]:
        return tuple(
            replace(one, options={**_orders(spec), **one.options, "access": _access(spec)})
            if _means_statistics(one.use, names)
            else one
            for one in some
        )

    return Hosts(ordered(hosts.threads), ordered(hosts.processes))


def stats_watcher(
    spec: ArbiterSpec,
    facts: PluginFacts,
    hosts: Hosts,
    others: Iterable[WatcherSpec] = (),
) -> tuple[WatcherSpec, ...]:
    """Return the watcher that keeps statistics, if they are wanted and nobody else has them."""
    plugins = (*hosts.threads, *hosts.processes)  # those with orders are statistics
    if (
        not spec.statsd
        or any("access" in one.options for one in plugins)
        or any(name_key(one.name) == WATCHER for one in others)
    ):
        return ()
    closed = spec.statsd_close_outputs
    watcher = WatcherSpec(
        name=WATCHER,
        priority=2,
        singleton=True,
        copy_env=True,
        copy_path=True,
        graceful_timeout=PLUGIN_STOP_GRACE,
        close_child_stdout=closed,
        close_child_stderr=closed,
    )
    options = {**_orders(spec), "access": _access(spec)}
    plugin = PluginSpec(name=WATCHER, use=_PLUGIN, options=options, watcher=watcher)
    return (
        replace(
            watcher_of(plugin, facts, spec),
            cmd=f"{shlex.quote(sys.executable)} -P -m {_RUNNER}",
        ),
    )


def _orders(spec: ArbiterSpec) -> dict[str, Any]:
    orders = {"interval": str(spec.stats_interval), "pss": str(spec.stats_pss)}
    return orders if spec.stats_endpoint is None else {**orders, "statspoint": spec.stats_endpoint}


def _access(spec: ArbiterSpec) -> str:
    return json.dumps({key: getattr(spec, key) for key in ACCESS})


def _means_statistics(use: str, names: PluginNames) -> bool:
    point, ours = names.point(use), names.plugins.get(_PLUGIN)
    value = use if point is None else point.value
    return ours is not None and value.replace(":", ".") == ours.value.replace(":", ".")
