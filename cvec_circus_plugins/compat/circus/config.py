"""Configuration files, as mappings."""

from __future__ import annotations

import os
from typing import Any

from circus.util import DEFAULT_ENDPOINT_MULTICAST, DEFAULT_ENDPOINT_STATS
from cvec_circus_core import api
from cvec_circus_core.config.load import accepted, load
from cvec_circus_core.extend.registry import load_formats


def get_config(config_file: str) -> dict[str, Any]:
    """Return what a configuration file says: options of the daemon, and lists of mappings.

    Raises ValueError with all that is wrong with it.
    """
    if not os.path.exists(config_file):
        raise OSError(f"the configuration file {config_file!r} does not exist")
    try:
        loaded = accepted(load(config_file, load_formats(), os.environ), skip_bad=False)
    except api.CircusError as error:
        raise ValueError(str(error)) from None
    config = {name: getattr(loaded.arbiter, name) for name in api.option_names(api.ArbiterSpec)}
    config["multicast_endpoint"] = config["multicast_endpoint"] or DEFAULT_ENDPOINT_MULTICAST
    config["stats_endpoint"] = config["stats_endpoint"] or DEFAULT_ENDPOINT_STATS
    config["watchers"] = [_watcher(spec) for spec in loaded.watchers]
    config["plugins"] = [
        {**plugin.options, "use": plugin.use, "name": f"plugin:{plugin.name}"}
        for plugin in loaded.plugins
    ]
    config["sockets"] = [
        {name: getattr(spec, name) for name in api.declared_options(api.SocketSpec)}
        | {"name": spec.name}
        for spec in loaded.sockets
    ]
    return config


def _watcher(spec: api.WatcherSpec) -> dict[str, Any]:
    families = api.declared_families(api.WatcherSpec)
    names = (*api.declared_options(api.WatcherSpec), *families)
    options = {name: getattr(spec, name) for name in names}
    hooks = {name: (hook.call, hook.ignore_failure) for name, hook in spec.hooks.items()}
    return {**options, **spec.extra, "name": spec.name, "hooks": hooks, "env": dict(spec.env)}
