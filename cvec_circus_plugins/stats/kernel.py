"""How statistics come to run: as a watcher of the daemon's own, unless a plugin section has them.

Statistics are a plugin like others, but they have an endpoint, so they have to know who may read.
The lists go with the order, not by a question: when they change, the order has changed, and the
process is replaced. Anyone who was let in by the old lists is out then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from cvec_circus_core.api import (
    ACCESS,
    PLUGIN_STOP_GRACE,
    ArbiterSpec,
    PluginSpec,
    WatcherSpec,
    hookimpl,
    name_key,
    plugin_target,
    replace,
)

WATCHER = "circusd-stats"
PLUGIN = "statistics"


class StatisticsPlacement:
    """Tells the daemon where statistics run."""

    @hookimpl
    def circus_plugins(
        self, daemon: ArbiterSpec, plugins: Sequence[PluginSpec], watchers: Sequence[str]
    ) -> list[PluginSpec]:
        """Return the plugins that publish statistics, with where to, and who may read."""
        target = plugin_target(PLUGIN)
        configured = [
            plugin
            for plugin in plugins
            if plugin.active and target is not None and plugin_target(plugin.use) == target
        ]
        orders = _orders(daemon)
        access = {"access": _access(daemon)}
        if configured:
            return [
                replace(plugin, options={**orders, **plugin.options, **access})
                for plugin in configured
            ]
        if not daemon.statsd or any(name_key(name) == WATCHER for name in watchers):
            return []
        return [
            PluginSpec(
                name=WATCHER,
                use=PLUGIN,
                runner=PLUGIN,
                isolate=True,
                options={**orders, **access},
                watcher=_watcher(daemon),
            )
        ]


def _watcher(daemon: ArbiterSpec) -> WatcherSpec:
    return WatcherSpec(
        name=WATCHER,
        priority=2,
        singleton=True,
        copy_env=True,
        copy_path=True,
        graceful_timeout=PLUGIN_STOP_GRACE,
        close_child_stdout=daemon.statsd_close_outputs,
        close_child_stderr=daemon.statsd_close_outputs,
    )


def _orders(daemon: ArbiterSpec) -> dict[str, str]:
    orders = {"interval": str(daemon.stats_interval), "pss": str(daemon.stats_pss)}
    if daemon.stats_endpoint is not None:
        orders["statspoint"] = daemon.stats_endpoint
    return orders


def _access(daemon: ArbiterSpec) -> str:
    return json.dumps({key: getattr(daemon, key) for key in ACCESS})
