"""How a plugin declares its options: once, as the fields of a dataclass, like the specs do.

    @dataclass(frozen=True, kw_only=True)
    class PingSettings:
        url: str = option("http://localhost/", TEXT, "what is asked for")

    class Ping(CircusPlugin):
        settings_type = PingSettings
        settings: PingSettings

The reference is written from the same lines. A section may also hold options of the watcher that
keeps the plugin; whatever is neither is named in the log, for it may be a slip of the pen.
Where no single option can see what is wrong, a method ``faults`` of the dataclass yields it, each
fault with the key that it speaks of; ``__post_init__`` may raise `ConfigError` for the first one.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.option_reader import read_options
from cvec_circus_core.model.options import declared_families, option_names, renamed_options
from cvec_circus_core.model.specs import WatcherSpec

log = logging.getLogger("circus.plugins")

Settings = TypeVar("Settings")

_OF_THE_HOST = frozenset({"use", "active", "isolate"})


def read_settings(declared: type[Settings], config: Mapping[str, Any], plugin: str) -> Settings:
    """Return what a configuration says, as values.

    Raises `ConfigError` with one sentence that names all options that can not be used; a secret is
    not told even then.
    """
    values, faults = _read(declared, config)
    refused = []
    for fault in faults:
        if fault.is_doubt:
            log.warning("plugin %s: %s %s", plugin, fault.key, fault.sentence)
        else:
            quoted = "" if fault.is_secret else f": {config[fault.key]!r}"
            refused.append(f"{fault.key} {fault.sentence}{quoted}")
    settings = declared(**values) if not refused else None
    refused += map(str, _faults_together(settings))
    if settings is None or refused:
        raise ConfigError(f"plugin {plugin}: {'; '.join(refused)}")
    return settings


def settings_faults(declared: type[Any], config: Mapping[str, Any]) -> Iterator[Fault]:
    """Find everything that is wrong with the options of a plugin."""
    values, faults = _read(declared, config)
    yield from faults
    if all(fault.is_doubt for fault in faults):
        try:
            settings = declared(**values)
        except ConfigError as error:
            yield Fault("", str(error))
        else:
            yield from _faults_together(settings)


def _faults_together(settings: object) -> Iterable[Fault]:
    find: Callable[[], Iterable[Fault]] | None = getattr(settings, "faults", None)
    return find() if find is not None else ()


def _read(declared: type, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    values, faults = read_options(declared, config)
    names = option_names(declared)
    for key in config:
        if key not in names and not _is_of_the_watcher(key):
            meant = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean {meant[0]}?" if meant else ""
            faults.append(Fault(key, f"is no option of this plugin{hint}", is_doubt=True))
    return values, faults


def _is_of_the_watcher(key: str) -> bool:
    families = declared_families(WatcherSpec).values()
    return (
        key in _OF_THE_HOST
        or key in option_names(WatcherSpec)
        or key in renamed_options(WatcherSpec)
        or "." in key
        or any(family.member(key) is not None for family in families)
    )
