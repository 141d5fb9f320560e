"""What was changed at run time: how the watchers in force differ from those of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.policy.config_plan import Present, is_of_plugin
from cvec_circus_core.policy.config_steps import Condition
from cvec_circus_core.policy.watcher.spec_change import changed

AUTOSTART = "autostart"


class Drift(Struct, frozen=True):
    """How one watcher differs from the file, or that the file does not have it."""

    watcher: str
    keys: tuple[str, ...]
    """The options that differ, by the names that a file gives them."""
    is_new: bool = False
    is_stopped: bool = False
    """Whether somebody has stopped it, and the file would start it."""
    is_started: bool = False
    """Whether it is up, and the file would not start it."""


def drift(present: Present) -> Iterator[Drift]:
    """Yield what the next start would not know of; plugins are not looked at."""
    for key, spec in present.watchers.items():
        if is_of_plugin(key):
            continue
        in_file = present.watchers_in_file.get(key)
        before = WatcherSpec(name=spec.name) if in_file is None else in_file
        condition = present.conditions[key]
        one_drift = Drift(
            spec.name,
            tuple(name for name in changed(before, spec).keys if name != AUTOSTART),
            in_file is None,
            condition is Condition.DOWN and spec.autostart,
            condition is Condition.UP and not spec.autostart,
        )
        if one_drift.keys or one_drift.is_new or one_drift.is_stopped or one_drift.is_started:
            yield one_drift


def shown_at(options: Mapping[str, object], key: str) -> object:
    """Return an option out of all options as they are shown, where families may be one mapping."""
    if key in options:
        return options[key]
    family, _, member = key.partition(".")
    members = options.get(family)
    return members.get(member) if isinstance(members, Mapping) else None


def unlike(wanted: WatcherSpec, read: WatcherSpec | None) -> tuple[str, ...]:
    """Return the options in which a watcher that was read again is not as it was to be."""
    if read is None:
        return ("cmd",)
    return tuple(name for name in changed(wanted, read).keys if name != AUTOSTART)
