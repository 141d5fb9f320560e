"""What callers describe by mappings and keywords: plugins, and options of watchers and arbiters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus_core.config.mappings import plugin_from_mapping
from cvec_circus_core.model.errors import AlreadyExists
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import declared_options
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec

_OF_THE_WATCHER = {"warmup_delay", "umask"}
"""Options of both: with a command, those of its watcher are meant."""


def split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell the options of a watcher from those of the arbiter, which come second."""
    ours = {"prereload_fn", "loop", *declared_options(ArbiterSpec)} - _OF_THE_WATCHER
    arbiter = {key: value for key, value in options.items() if key in ours}
    return {key: value for key, value in options.items() if key not in ours}, arbiter


def plugin_specs(plugins: Iterable[Mapping[str, Any]]) -> list[PluginSpec]:
    """Return the specs of plugins; one without a name gets that of its class."""
    specs = []
    for plugin in plugins:
        use = str(plugin.get("use", ""))
        name = str(plugin.get("name") or use.rpartition(".")[2].rpartition(":")[2].lower())
        options = {key: value for key, value in plugin.items() if key != "name"}
        specs.append(plugin_from_mapping(name, options))
    return specs


def refuse_twins(names: Iterable[str]) -> None:
    """Raise `AlreadyExists` where two watchers have one name."""
    keys = set()
    for name in names:
        if name_key(name) in keys:
            raise AlreadyExists(name)
        keys.add(name_key(name))
