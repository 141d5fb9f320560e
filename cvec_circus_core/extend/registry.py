"""Named things come from entry points, by stevedore: commands, formats and streams.

One broken package never stops the daemon: what does not load is remembered with its reason, and
only missed by those who need it. Two traps are minded here (docs/design): stevedore keeps a cache
on disk that can hide a new entry point and that a root daemon should not write, so its memory is
filled from `importlib.metadata` first; and it takes two things of one name side by side, so the
first one wins and the other is named as a failure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, EntryPoint
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from stevedore import ExtensionManager

from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.points import points_of
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.values import Struct

log = logging.getLogger(__name__)

COMMANDS = "cvec_circus.commands"
FORMATS = "cvec_circus.formats"
GATES = "cvec_circus.gates"
PLUGINS = "cvec_circus.plugins"
DEFAULT_PLUGINS = "cvec_circus.default_plugins"
"""Plugins that the daemon runs unless its configuration says otherwise."""
OLDER_NAMES = "cvec_circus.older_names"
"""Dotted names that the older system had for what is ours now."""

_OURS = __name__.partition(".")[0].removesuffix("core")
"""How the names of the packages begin that this distribution is made of."""

FAILED: dict[EntryPoint, str] = {}
"""What this process could not load, and why; `sys.modules` only remembers what it could."""

NOTHING: Mapping[str, EntryPoint] = MappingProxyType({})

Thing = TypeVar("Thing")


class Origin(Struct, frozen=True):
    """Where a loaded thing comes from."""

    name: str
    value: str
    distribution: str
    version: str


class LoadFailure(Struct, frozen=True):
    """An entry point that can not be used, and why."""

    origin: Origin
    reason: str


class LoadedGroup(Struct, Generic[Thing], frozen=True):
    """What one group of entry points brought."""

    things: Mapping[str, Thing]
    points: Mapping[str, EntryPoint]
    failures: tuple[LoadFailure, ...]


def load_group(
    group: str,
    accept: Callable[[Any], Thing],
    *,
    quietly: bool = False,
    besides: Mapping[str, EntryPoint] = NOTHING,
) -> LoadedGroup[Thing]:
    """Load every entry point of a group, and log what fails unless ``quietly``.

    ``accept`` turns the loaded object into the thing to keep, or raises TypeError with a phrase
    that says what is wrong with it. What stands in ``besides`` is not loaded, and its names are
    taken.
    """
    to_load = (point for point in points_of(group) if point not in besides.values())
    ExtensionManager.ENTRY_POINT_CACHE[group] = sorted(to_load, key=_own_first)
    failures: list[LoadFailure] = []

    def on_failure(_: object, point: EntryPoint, error: BaseException) -> None:
        FAILED[point] = f"{type(error).__name__}: {error}"
        failures.append(LoadFailure(origin_of(point), FAILED[point]))

    manager: ExtensionManager[object] = ExtensionManager(group, on_load_failure_callback=on_failure)
    things: dict[str, Thing] = {}
    points = dict(besides)
    for extension in manager:
        name, point = extension.name, extension.entry_point
        if name in points:
            other = origin_of(points[name]).distribution
            failures.append(LoadFailure(origin_of(point), f"{other} has brought this name already"))
            continue
        try:
            things[name] = accept(extension.plugin)
        except TypeError as error:
            failures.append(LoadFailure(origin_of(point), str(error)))
        else:
            points[name] = point
    for failure in () if quietly else failures:
        name, distribution = failure.origin.name, failure.origin.distribution
        log.warning("%s %s of %s is left out: %s", group, name, distribution, failure.reason)
    return LoadedGroup(things, points, tuple(failures))


def load_point(point: EntryPoint, what: str) -> object:
    """Load what one entry point names; ``what`` it is stands in the sentence.

    Raises `ConfigError`, and remembers why, for those who ask what is installed.
    """
    try:
        loaded = point.load()
    except Exception as error:
        log.debug("%s %s does not load", what, point.name, exc_info=True)
        FAILED[point] = f"{type(error).__name__}: {error}"
        of = origin_of(point).distribution
        raise ConfigError(f"{what} {point.name} of {of} does not load ({FAILED[point]})") from None
    FAILED.pop(point, None)
    return loaded


class CommandTable(Mapping[str, Command]):
    """Commands by the name of their entry point. Ours are loaded when somebody gives them.

    A daemon is given a handful of its commands in its life. Those of other packages are loaded at
    its start, so that their mistakes are told then.
    """

    def __init__(self, own: Mapping[str, EntryPoint], others: Mapping[str, Command]) -> None:
        self._own = own
        self._loaded = dict(others)

    def __getitem__(self, name: str) -> Command:
        if name not in self._loaded:
            self._loaded[name] = _as_command(self._own[name].load())
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._own, **self._loaded})

    def __len__(self) -> int:
        return len({**self._own, **self._loaded})


def load_commands() -> CommandTable:
    """Return every installed command."""
    own = {point.name: point for point in points_of(COMMANDS) if _is_own(point)}
    return CommandTable(own, load_group(COMMANDS, _as_command, besides=own).things)


def load_formats() -> tuple[Any, ...]:
    """Load every installed format of configuration files, ini first."""
    formats = load_group(FORMATS, _as_format).things
    return tuple(sorted(formats.values(), key=lambda one: one.name != "ini"))


def _as_format(found: object) -> object:
    instance = found() if isinstance(found, type) else found
    if not callable(getattr(instance, "read", None)) or not getattr(instance, "name", ""):
        raise TypeError("a format needs a name and read()")
    return instance


def _as_command(found: object) -> Command:
    if not isinstance(found, type) or not issubclass(found, Command):
        raise TypeError("it is not a subclass of Command")
    return found()


def _is_own(point: EntryPoint) -> bool:
    # Asking for the distribution's name would parse its METADATA, at every start.
    return point.module.startswith(_OURS)


def _own_first(point: EntryPoint) -> tuple[bool, str]:
    return (not _is_own(point), point.name)


def origin_of(point: EntryPoint) -> Origin:
    """Return which distribution brings an entry point."""
    name, version = ("?", "?") if point.dist is None else _name_and_version(point.dist)
    return Origin(point.name, point.value, name, version)


# A distribution parses its whole METADATA file each time it is asked for either of the two.
@cache
def _name_and_version(distribution: Distribution) -> tuple[str, str]:
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]
