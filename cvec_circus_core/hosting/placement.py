"""Which plugin runs where, and the watcher of one that gets a process of its own.

Its command is a runner: a program that finds its order in the environment, as JSON, because an
option may hold any character, and nobody else can read it in the list of processes. The watcher's
machinery replaces variables in environments, so the marks of these are spelled as JSON escapes.

Installed packages bring runners (entry-point group ``cvec_circus.runners``), and may add plugins to
those of the configuration by the kernel hook ``circus_plugins``.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.points import points_of
from cvec_circus_core.hosting.classes import PluginFacts, PluginNames
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.socket_specs import ANY_PLUGIN, PLUGIN_SETTINGS, PluginSpec, SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, replace

HOOK = "circus_plugins"
RUNNERS = "cvec_circus.runners"
BY_DEFAULT = "by_default"
"""Option of a plugin that runs though the configuration does not speak of it."""


class Hosts(Struct, frozen=True):
    """Which plugin runs where."""

    threads: tuple[PluginSpec, ...]
    processes: tuple[PluginSpec, ...]


def place(
    plugins: Iterable[PluginSpec],
    hooks: Hooks,
    arbiter: ArbiterSpec,
    watchers: Iterable[str],
    names: PluginNames,
) -> Hosts:
    """Tell where each plugin runs: those of a configuration, and what packages make of them.

    ``watchers`` are the names of those that are configured. A plugin of a package takes the place
    of one that has its name.
    """
    placed = {plugin.name: plugin for plugin in plugins}
    answers = hooks.gather(
        HOOK, daemon=arbiter, plugins=tuple(placed.values()), watchers=tuple(watchers)
    )
    for answer in answers:
        placed |= {plugin.name: plugin for plugin in answer}
    return assign(placed.values(), names)


def assign(plugins: Iterable[PluginSpec], names: PluginNames) -> Hosts:
    """Tell where each plugin runs, with those that run unless the configuration speaks of them.

    One that is not active runs nowhere. Where nothing is said, a plugin gets a process of its own,
    unless it is one that runs by default.
    """
    configured = tuple(plugins)
    taken_names = {plugin.name for plugin in configured}
    has_default = any(names.is_default(plugin.use) for plugin in configured)
    added = tuple(
        PluginSpec(
            name=name,
            use=name,
            options={BY_DEFAULT: True},
            watcher=WatcherSpec(name=f"plugin:{name}"),
        )
        for name in names.defaults
        if name not in taken_names and not has_default
    )
    threads: list[PluginSpec] = []
    processes: list[PluginSpec] = []
    for plugin in (*configured, *added):
        isolated = not names.is_default(plugin.use) if plugin.isolate is None else plugin.isolate
        if plugin.active:
            (processes if isolated else threads).append(plugin)
    return Hosts(tuple(threads), tuple(processes))


def sockets_of(plugins: Iterable[PluginSpec], configured: Iterable[str]) -> tuple[SocketSpec, ...]:
    """Return the managed sockets that come with plugins, but for those that are configured."""
    names = frozenset(configured)
    sockets = {socket.name: socket for plugin in plugins for socket in plugin.sockets}
    return tuple(socket for name, socket in sockets.items() if name not in names)


def watcher_of(
    plugin: PluginSpec, facts: PluginFacts, arbiter: ArbiterSpec, *, has_sockets: bool = False
) -> WatcherSpec:
    """Return the watcher that keeps one plugin in a process of its own, and its log in ours.

    ``has_sockets`` says that the sockets that come with it are there. Raises `ConfigError` where no
    installed package brings its runner.
    """
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
    return replace(
        plugin.watcher,
        cmd=_command(plugin),
        args=(),
        sockets=tuple(socket.name for socket in plugin.sockets) if has_sockets else (),
        env={**plugin.watcher.env, PLUGIN_SETTINGS: text},
    )


def plugin_order(spec: WatcherSpec) -> tuple[str, Mapping[str, Any]] | None:
    """Return the class and the options of the plugin that a watcher keeps; None if it keeps none.

    For commands that act for a plugin: the options may hold its passwords.
    """
    if PLUGIN_SETTINGS not in spec.env:
        return None
    options: Mapping[str, Any] = json.loads(spec.env[PLUGIN_SETTINGS])["options"]
    return shlex.split(spec.cmd)[-1], options


def _command(plugin: PluginSpec) -> str:
    modules = {point.name: point.module for point in points_of(RUNNERS)}
    if plugin.runner not in modules:
        raise ConfigError(
            f"plugin {plugin.name} has no program to run it: no installed package brings "
            f"{plugin.runner!r} in {RUNNERS}"
        )
    # -P: what happens to lie in the working directory comes last, not first.
    words = [sys.executable, "-P", "-m", modules[plugin.runner]]
    return shlex.join([*words, plugin.use] if plugin.runner == ANY_PLUGIN else words)
