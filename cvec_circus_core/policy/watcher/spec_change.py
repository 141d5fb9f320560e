"""What follows when a watcher's spec becomes another one."""

from __future__ import annotations

from collections.abc import Iterator

from cvec_circus_core.model.options import Needs, declared_families, declared_options
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct, replace

_UNDECLARED = {
    "rlimits": Needs.NEW_PROCESSES,
    "stdout_stream": Needs.NEW_STREAMS,
    "stderr_stream": Needs.NEW_STREAMS,
    "hooks": Needs.NEW_HOOKS,
    "extra": Needs.NOTHING,
}


class Changed(Struct, frozen=True):
    """Which fields of a spec differ, and what a running watcher has to do about it."""

    fields: tuple[str, ...]
    needs: frozenset[Needs]
    keys: tuple[str, ...]
    """The options that differ, by the names that a file gives them."""


def changed(old: WatcherSpec, new: WatcherSpec) -> Changed:
    """Compare two specs of one watcher, option by option."""
    differ = {name: need for name, need in _needed().items() if _differs(old, new, name)}
    keys = (key for name in differ for key in _keys(old, new, name))
    return Changed(tuple(differ), frozenset(differ.values()), tuple(keys))


def taken_back(now: WatcherSpec, before: WatcherSpec) -> tuple[WatcherSpec, tuple[str, ...]]:
    """Return a spec without the changes that need new processes, and the options that these are."""
    fields = tuple(
        name
        for name, need in _needed().items()
        if need is Needs.NEW_PROCESSES and _differs(now, before, name)
    )
    keys = tuple(key for name in fields for key in _keys(now, before, name))
    return replace(now, **{name: getattr(before, name) for name in fields}), keys


def _needed() -> dict[str, Needs]:
    needed = {name: option.changing for name, option in declared_options(WatcherSpec).items()}
    needed.update(_UNDECLARED)
    return needed


def _keys(old: WatcherSpec, new: WatcherSpec, name: str) -> Iterator[str]:
    if name not in _UNDECLARED:
        yield name
        return
    family = declared_families(WatcherSpec).get(name)
    prefix = family.prefix if family else ""
    before, after = getattr(old, name), getattr(new, name)
    for member in {**before, **after}:
        if member not in before or member not in after or before[member] != after[member]:
            yield f"{prefix}{member}"


def _differs(old: WatcherSpec, new: WatcherSpec, name: str) -> bool:
    return bool(getattr(old, name) != getattr(new, name))
