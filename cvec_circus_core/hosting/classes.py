"""How the class that a plugin names is found, and made.

``use`` is the name of an entry point, a name that the older system had for one of ours, or a dotted
name, in this order. Constructors come in several shapes, as the documents of the older system show
them and as its last release calls them; the first shape that fits is taken.
"""

from __future__ import annotations

import difflib
import inspect
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, Protocol, cast

from cvec_circus_core.extend.needed_options import missing_options
from cvec_circus_core.extend.plugin_settings import settings_faults
from cvec_circus_core.extend.points import points_of
from cvec_circus_core.extend.registry import DEFAULT_PLUGINS, OLDER_NAMES, PLUGINS, load_point
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.values import Struct

log = logging.getLogger(__name__)


_TORNADO_HINT = (
    ", of which zmq.eventloop is made and which is not installed: install it, or use self.loop and "
    "self.every(), which need nothing"
)
_OLDER_ROOT = "circus"
_MISSING = re.compile(r"missing a required .*argument: '(\w+)'")
_OF_THE_SHAPE = ("'ssh_server'", "positional", "multiple values")


class PluginFacts(Struct, frozen=True):
    """What every plugin is told beside its options."""

    endpoint: str
    pubsub_endpoint: str
    check_delay: float
    ssh_server: str | None = None
    daemon_pid: int = 0
    daemon_id: str = ""
    """Whom it belongs to, where a daemon runs it."""


class Startable(Protocol):
    """What a plugin is to its host, whatever its class: it runs in the thread that starts it."""

    def start(self) -> object:
        """Run until it is stopped."""


PluginFactory = Callable[..., Startable]
"""The class of a plugin, or what else makes one."""


class PluginNames(Struct, frozen=True):
    """The names by which plugins that are installed go, without loading any."""

    plugins: Mapping[str, EntryPoint]
    older: Mapping[str, EntryPoint]
    defaults: Mapping[str, EntryPoint]
    """Those that the daemon runs unless its configuration speaks of them."""

    @classmethod
    def installed(cls) -> PluginNames:
        """Read what is installed at this moment."""
        return cls(
            *(
                {point.name: point for point in points_of(group)}
                for group in (PLUGINS, OLDER_NAMES, DEFAULT_PLUGINS)
            )
        )

    def point(self, use: str) -> EntryPoint | None:
        """Return the entry point that a name means, if it means one."""
        return self.plugins.get(use) or self.older.get(use)

    def is_default(self, use: str) -> bool:
        """Tell whether a name, of whatever kind, means a plugin that runs by default."""
        targets = {default.value.replace(":", ".") for default in self.defaults.values()}
        return (self.target(use) or use.replace(":", ".")) in targets

    def target(self, use: str) -> str | None:
        """Return the dotted name of the class that a name means; None for a short unknown one."""
        point = self.point(use)
        dotted = (use if point is None else point.value).replace(":", ".")
        return dotted if "." in dotted else None


NO_DEFAULTS = PluginNames({}, {}, {})
"""For programs that run no plugin but those that are asked for."""


def plugin_target(use: str) -> str | None:
    """Return the dotted name of the class that a plugin's ``use`` means, or None for none."""
    return PluginNames.installed().target(use)


def find_class(use: str) -> PluginFactory:
    """Return the class of a plugin. Raises `ConfigError` with a sentence that says why not."""
    names = PluginNames.installed()
    point = names.point(use)
    if point is not None:
        return cast("PluginFactory", load_point(point, "plugin"))
    module, colon, name = use.partition(":")
    if not colon:
        module, _, name = use.rpartition(".")
    if not module or not name:
        raise ConfigError(f"no plugin is named {use!r}{_near(use, sorted(names.plugins))}")
    return _from_module(module, name, use)


def use_faults(plugin: PluginSpec) -> Iterator[Fault]:
    """Find out that ``use`` means nothing, where that can be known without importing anything.

    A plugin with an import path or interpreter of its own may find what is not to be found here.
    """
    use, watcher = plugin.use, plugin.watcher
    names = PluginNames.installed()
    if names.point(use) is not None:
        return
    top, dot, _ = use.replace(":", ".").partition(".")
    if not dot:
        yield Fault("use", f"names no plugin{_near(use, sorted(names.plugins))}")
    elif not (
        "PYTHONPATH" in watcher.env
        or watcher.virtualenv
        or watcher.executable
        or _dotted().is_module_there(top, [watcher.working_dir or os.getcwd()])
    ):
        yield Fault("use", f"names the module {top!r}, which is not found{_like(use, names)}")
    elif top == _OLDER_ROOT and not _dotted().is_installed(top):
        # Ours stand in for what of it is known, and no others.
        yield Fault("use", f"names no plugin{_like(use, names)}")


def use_doubts(plugin: PluginSpec) -> Iterator[Fault]:
    """Find out that a dotted ``use`` probably means nothing, by a look at files that it names."""
    path = plugin.watcher.env.get("PYTHONPATH", "").split(os.pathsep)
    if PluginNames.installed().point(plugin.use) is None and not any(use_faults(plugin)):
        missing = _dotted().first_missing(
            plugin.use, [*path, plugin.watcher.working_dir or os.getcwd()]
        )
        if missing and not (plugin.watcher.virtualenv or plugin.watcher.executable):
            yield Fault("use", f"names {missing}, which is not found", is_doubt=True)


def plugin_faults(use: str, options: Mapping[str, Any]) -> Iterator[Fault]:
    """Find what is wrong with the section of a plugin, as far as entry points and options go.

    What a dotted name means is left alone: it is for the plugin's process to import.
    """
    point = PluginNames.installed().point(use)
    if point is None:
        return
    try:
        declared = getattr(load_point(point, "plugin"), "settings_type", None)
    except ConfigError as error:
        yield Fault("use", f"can not be used: {error}")
        return
    if declared is not None:
        yield from settings_faults(declared, options)


def trial_faults(use: str, options: Mapping[str, Any]) -> Iterator[Fault]:
    """Import the class of a plugin, and find out why it could not be made. None is made."""
    try:
        factory = find_class(use)
    except ConfigError as error:
        yield Fault("use", f"can not be used: {str(error).removeprefix(f'plugin {use}: ')}")
        return
    declared = getattr(factory, "settings_type", None)
    if declared is not None:
        yield from settings_faults(declared, options)
    try:
        _call(factory, PluginFacts("", "", 1.0), options)
    except ConfigError as error:
        missing = _MISSING.search(str(error))
        reason = f"needs the option {missing[1]}, which is not there" if missing else f"{error}"
        yield Fault("use", reason)
        return
    for name in missing_options(factory, options):
        yield Fault("use", f"reads the option {name}, which is not there", is_doubt=True)


def make(factory: PluginFactory, facts: PluginFacts, options: Mapping[str, Any]) -> Startable:
    """Make a plugin. Raises `ConfigError` where the class does not take its options."""
    return _call(factory, facts, options)()


def _call(
    factory: PluginFactory, facts: PluginFacts, options: Mapping[str, Any]
) -> Callable[[], Startable]:
    """Return how a class is called. Raises `ConfigError` where it does not take its options."""
    refused: list[str] = []
    for args, keywords in _shapes(facts):
        try:
            inspect.signature(factory).bind(*args, **{**keywords, **options})
        except TypeError as error:
            refused.append(str(error))
            continue
        except ValueError:
            pass  # A class without a signature is called as it is.
        return partial(factory, *args, **{**keywords, **options})
    # What concerns the shape is no help; what concerns the options is.
    telling = [reason for reason in refused if not any(word in reason for word in _OF_THE_SHAPE)]
    raise ConfigError(f"{_name(factory)} can not be made: {(telling or refused)[0]}")


def _shapes(facts: PluginFacts) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    keywords = {
        "endpoint": facts.endpoint,
        "pubsub_endpoint": facts.pubsub_endpoint,
        "check_delay": facts.check_delay,
    }
    in_order = tuple(keywords.values())
    yield (), {**keywords, "ssh_server": facts.ssh_server}
    yield (*in_order, facts.ssh_server), {}
    if facts.ssh_server is None:
        yield (), keywords
        yield in_order, {}


def _from_module(module: str, name: str, use: str) -> PluginFactory:
    try:
        home = import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise ConfigError(f"plugin {use}: there is no module {error.name}") from None
        hint = _TORNADO_HINT if error.name == "tornado" else ""
        raise ConfigError(f"plugin {use}: module {module} needs {error.name}{hint}") from None
    except Exception as error:
        log.debug("plugin %s can not be imported", use, exc_info=True)
        raise ConfigError(
            f"plugin {use}: module {module} fails ({type(error).__name__}: {error})"
        ) from None
    plugin_class: PluginFactory | None = getattr(home, name, None)
    if plugin_class is None:
        raise ConfigError(f"plugin {use}: module {module} has no class {name}")
    if not callable(getattr(plugin_class, "start", None)):
        raise ConfigError(f"plugin {use}: {module}.{name} is not a CircusPlugin")
    return plugin_class


def _near(use: str, known: Sequence[str]) -> str:
    if close := difflib.get_close_matches(use, known, n=1):
        return f"; did you mean {close[0]}?"
    return f"; those installed are {', '.join(known)}" if known else ""


def _dotted() -> ModuleType:
    # Most daemons have no plugin that goes by a dotted name.
    return import_module("cvec_circus_core.extend.dotted")


def _like(use: str, names: PluginNames) -> str:
    meant = difflib.get_close_matches(use, names.older, n=1) or difflib.get_close_matches(
        use.replace(":", ".").rpartition(".")[2].lower(), names.plugins, n=1
    )
    return f"; did you mean {meant[0]}?" if meant else ""


def _name(found: object) -> str:
    return f"{getattr(found, '__module__', '?')}.{getattr(found, '__qualname__', found)}"
