"""What follows when a watcher's spec becomes another one."""

from __future__ import annotations

from cvec_circus_core.model.options import Needs, declared_options
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
    """Which options differ, and what a running watcher has to do about it."""

    keys: tuple[str, ...]
    needs: frozenset[Needs]


def changed(old: WatcherSpec, new: WatcherSpec) -> Changed:
    """Compare two specs of one watcher, option by option."""
    differ = {name: need for name, need in _needed().items() if _differs(old, new, name)}
    return Changed(tuple(differ), frozenset(differ.values()))


def taken_back(now: WatcherSpec, before: WatcherSpec) -> tuple[WatcherSpec, tuple[str, ...]]:
    """Return a spec without the changes that need new processes, and the names of these."""
    keys = tuple(
        name
        for name, need in _needed().items()
        if need is Needs.NEW_PROCESSES and _differs(now, before, name)
    )
    return replace(now, **{key: getattr(before, key) for key in keys}), keys


def _needed() -> dict[str, Needs]:
    needed = {name: one.changing for name, one in declared_options(WatcherSpec).items()}
    needed.update(_UNDECLARED)
    return needed


def _differs(old: WatcherSpec, new: WatcherSpec, name: str) -> bool:
    return bool(getattr(old, name) != getattr(new, name))
