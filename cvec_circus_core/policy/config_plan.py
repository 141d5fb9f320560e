"""What a new configuration means for everything in force, and how it is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.socket_specs import PluginSpec, SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, field, replace
from cvec_circus_core.policy.config_steps import (
    Condition,
    ConfigStep,
    OptionsPlan,
    plan_options,
    steps,
)
from cvec_circus_core.policy.socket_plan import SocketPlan, plan_sockets, still_used, touched
from cvec_circus_core.policy.watcher_plan import WatcherPlan, plan_watchers

_PLUGIN = "plugin:"
"""How the names of watchers begin that plugins are run by."""


class Configuration(Struct, frozen=True):
    """What a configuration says: the daemon's own options, the watchers, and their sockets."""

    arbiter: ArbiterSpec = field(default_factory=ArbiterSpec)
    watchers: tuple[WatcherSpec, ...] = ()
    sockets: tuple[SocketSpec, ...] = ()
    plugins: tuple[PluginSpec, ...] = ()
    """Those that run in threads of the daemon."""
    plugin_sockets: tuple[SocketSpec, ...] = ()
    """Those of the sockets that come with plugins; a daemon starts without them, too."""
    doubts: tuple[str, ...] = ()
    """Sentences that say why it may not be whole."""

    def without(self, missing: Collection[SocketSpec]) -> Configuration:
        """Return it without some of the sockets, for watchers that can do without them."""
        names = {socket.name for socket in missing if socket in self.plugin_sockets}
        if not names:
            return self
        watchers = (
            replace(spec, sockets=tuple(name for name in spec.sockets if name not in names))
            for spec in self.watchers
        )
        return replace(
            self,
            watchers=tuple(watchers),
            sockets=tuple(socket for socket in self.sockets if socket.name not in names),
            plugin_sockets=tuple(each for each in self.plugin_sockets if each.name not in names),
        )


class Present(Struct, frozen=True):
    """What is in force when the plan is made; watchers by their keys, sockets by their names."""

    arbiter: ArbiterSpec
    watchers: Mapping[str, WatcherSpec]
    conditions: Mapping[str, Condition]
    sockets: Mapping[str, SocketSpec]
    watchers_in_file: Mapping[str, WatcherSpec]
    """As the file had them when it was read last."""
    sockets_in_file: Mapping[str, SocketSpec]


class ConfigPlan(Struct, frozen=True):
    """What a new configuration means."""

    steps: tuple[ConfigStep, ...]
    watchers: WatcherPlan
    sockets: SocketPlan
    options: OptionsPlan
    other_sockets: tuple[str, ...] = ()
    """Keys of the watchers whose processes are replaced because their sockets differ."""

    def as_json(self) -> Mapping[str, object]:
        """Return it for a reply."""
        sockets = {
            "add": self.sockets.add,
            "remove": self.sockets.remove,
            "replace": self.sockets.renew,
            "adjust": self.sockets.adjust,
        }
        return {
            "watchers": [
                {"name": step.watcher, "action": step.action.value, "reason": step.reason}
                for step in self.steps
            ],
            "sockets": [
                {"name": name, "action": action}
                for action, names in sockets.items()
                for name in names
            ],
            "options": {
                "at_once": list(self.options.at_once),
                "at_next_start": list(self.options.at_next_start),
            },
        }


def plan_config(configuration: Configuration, present: Present) -> ConfigPlan:
    """Return what turns what is in force into what a configuration says.

    Raises `ConfigError` where a watcher would be left without its socket.
    """
    new_file = watchers_by_key(configuration.watchers)
    watchers = plan_watchers(present.watchers_in_file, new_file, present.watchers)
    new_sockets = sockets_by_name(configuration.sockets)
    sockets = plan_sockets(present.sockets_in_file, new_sockets, present.sockets)
    staying = {
        key: watchers.change.get(key, spec)
        for key, spec in present.watchers.items()
        if key not in watchers.remove
    }
    if problems := list(still_used(sockets, (*staying.values(), *watchers.add.values()))):
        raise ConfigError("; ".join(problems))
    after = sorted({*present.sockets, *sockets.add} - set(sockets.remove))
    other_sockets = touched(sockets, staying, sorted(present.sockets), after)
    return ConfigPlan(
        steps(
            watchers, present.watchers, present.conditions, present.watchers_in_file, other_sockets
        ),
        watchers,
        sockets,
        plan_options(present.arbiter, configuration.arbiter),
        other_sockets,
    )


def refuse_emptied(configuration: Configuration, plan: ConfigPlan) -> None:
    """Refuse a configuration that has lost all its watchers, or some where it seems to be torn.

    A full disk, or half a save, leaves such a file. Those of plugins do not count. Raises
    `ConfigError`.
    """
    own = [spec for spec in configuration.watchers if not is_of_plugin(name_key(spec.name))]
    lost = [key for key in plan.watchers.remove if not is_of_plugin(key)]
    if not lost:
        return
    doubt = "the configuration has no watcher any more" if not own else None
    if doubt := doubt or "; ".join(configuration.doubts):
        raise ConfigError(
            f"{doubt}, and {len(lost)} would be removed: "
            "is the file whole? reloadconfig with allow_empty (--allow-empty) removes them"
        )


def is_of_plugin(key: str) -> bool:
    """Tell whether a watcher of this key runs a plugin."""
    return key.startswith(_PLUGIN)


def with_options(spec: ArbiterSpec, new: ArbiterSpec, keys: Iterable[str]) -> ArbiterSpec:
    """Return the daemon's options with some of the new ones."""
    return replace(spec, **{key: getattr(new, key) for key in keys})


def watchers_by_key(specs: Iterable[WatcherSpec]) -> dict[str, WatcherSpec]:
    """Return specs by the key of their name."""
    return {name_key(spec.name): spec for spec in specs}


def sockets_by_name(specs: Iterable[SocketSpec]) -> dict[str, SocketSpec]:
    """Return specs by name."""
    return {spec.name: spec for spec in specs}
