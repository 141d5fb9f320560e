"""How a plugin declares its options: once, as the fields of a dataclass, like the specs do.

    @dataclass(frozen=True, kw_only=True)
    class PingSettings:
        url: str = option("http://localhost/", TEXT, "what is asked for")

    class Ping(CircusPlugin):
        settings_type = PingSettings
        settings: PingSettings

The reference is written from the same lines. A section may also hold options of the watcher that
keeps the plugin; whatever is neither is named in the log, for it may be a slip of the pen.
``__post_init__`` of the dataclass may look for what no single option can see, and raise
`ConfigError`.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.options import (
    Option,
    declared_families,
    declared_options,
    option_names,
    renamed_options,
)
from cvec_circus_core.model.specs import WatcherSpec

log = logging.getLogger("circus.plugins")

Settings = TypeVar("Settings")

_OF_THE_HOST = frozenset({"use", "active", "isolate"})


@dataclass(frozen=True, slots=True)
class SettingFault:
    """What is wrong with one option of a plugin; the sentence continues the option's name."""

    key: str
    """Empty where the options do not fit together."""
    sentence: str
    allowed: str = ""
    hidden: bool = False
    """Whether what was given is a secret."""
    is_doubt: bool = False
    """Whether it does no harm, and is probably not meant."""


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
            shown = "" if fault.hidden else f": {config[fault.key]!r}"
            refused.append(f"{fault.key} {fault.sentence}{shown}")
    if refused:
        raise ConfigError(f"plugin {plugin}: {'; '.join(refused)}")
    return declared(**values)


def settings_faults(declared: type[Any], config: Mapping[str, Any]) -> Iterator[SettingFault]:
    """Find everything that is wrong with the options of a plugin."""
    values, faults = _read(declared, config)
    yield from faults
    if all(fault.is_doubt for fault in faults):
        try:
            declared(**values)
        except ConfigError as error:
            yield SettingFault("", str(error))


def _read(declared: type, config: Mapping[str, Any]) -> tuple[dict[str, Any], list[SettingFault]]:
    names, options = option_names(declared), declared_options(declared)
    values: dict[str, Any] = {}
    faults: list[SettingFault] = []
    for key, given in config.items():
        if key in names:
            one = options[names[key]]
            try:
                values[one.name] = read_setting(one, given)
            except ValueError as error:
                faults.append(SettingFault(key, f"isn't {error}", one.kind.allowed, one.secret))
        elif not _is_of_the_watcher(key):
            meant = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean {meant[0]}?" if meant else ""
            faults.append(SettingFault(key, f"is no option of this plugin{hint}", is_doubt=True))
    return values, faults


def read_setting(one: Option, given: Any) -> Any:
    """Return the value of one option, given as text or as what it is. Raises ValueError."""
    if given == one.default and type(given) is type(one.default):
        return given
    return one.kind.parse(given) if isinstance(given, str) else one.kind.check(given)


def _is_of_the_watcher(key: str) -> bool:
    families = declared_families(WatcherSpec).values()
    return (
        key in _OF_THE_HOST
        or key in option_names(WatcherSpec)
        or key in renamed_options(WatcherSpec)
        or "." in key
        or any(family.member(key) is not None for family in families)
    )
