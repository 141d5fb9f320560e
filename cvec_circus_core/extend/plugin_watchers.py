"""How a plugin comes into a process of its own: a watcher whose command is the plugin runner.

What the runner has to know goes by the environment, as JSON: an option may hold any character, and
nobody else can read it in the list of processes. The watcher's machinery replaces variables in
environments, so the marks of these are spelled as JSON escapes.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable

from cvec_circus_core.extend.plugin_classes import PluginFacts, PluginNames
from cvec_circus_core.model.socket_specs import PLUGIN_SETTINGS, PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, replace

_RUNNER = "cvec_circus_cli.circus_plugin"


class Hosts(Struct, frozen=True):
    """Which plugin runs where."""

    threads: tuple[PluginSpec, ...]
    processes: tuple[PluginSpec, ...]


def assign(plugins: Iterable[PluginSpec], names: PluginNames) -> Hosts:
    """Tell where each plugin runs, with those that run unless the configuration speaks of them.

    One that is not active runs nowhere. Where nothing is said, a plugin gets a process of its own,
    unless it is one that runs by default.
    """
    given = tuple(plugins)
    named = {one.name for one in given}
    spoken_of = any(names.is_default(one.use) for one in given)
    added = tuple(
        PluginSpec(name=name, use=name, watcher=WatcherSpec(name=f"plugin:{name}"))
        for name in names.defaults
        if name not in named and not spoken_of
    )
    threads: list[PluginSpec] = []
    processes: list[PluginSpec] = []
    for one in (*given, *added):
        isolated = not names.is_default(one.use) if one.isolate is None else one.isolate
        if one.active:
            (processes if isolated else threads).append(one)
    return Hosts(tuple(threads), tuple(processes))


def watcher_of(plugin: PluginSpec, facts: PluginFacts, arbiter: ArbiterSpec) -> WatcherSpec:
    """Return the watcher that keeps one plugin in a process of its own, and its log in ours."""
    settings = {
        "name": plugin.name,
        "endpoint": facts.endpoint,
        "pubsub_endpoint": facts.pubsub_endpoint,
        "check_delay": facts.check_delay,
        "daemon_pid": facts.daemon_pid,
        "daemon_id": facts.daemon_id,
        "loglevel": arbiter.loglevel,
        "logoutput": arbiter.logoutput,
        "options": dict(plugin.options),
    }
    text = json.dumps(settings, default=str).replace("$", "\\u0024").replace("(", "\\u0028")
    # -P: what happens to lie in the working directory comes last, not first.
    return replace(
        plugin.watcher,
        cmd=f"{shlex.quote(sys.executable)} -P -m {_RUNNER} {shlex.quote(plugin.use)}",
        args=(),
        env={**plugin.watcher.env, PLUGIN_SETTINGS: text},
    )
