"""What a new configuration means for the watchers in force: planned before anything moves.

Watchers that were added at run time are not in any file and stay. An option that was set at run
time stays as long as the file did not change it: the new file is compared with the old file, and
only what differs between the two is laid over what is in force (spec: config, reloadconfig).
"""

from __future__ import annotations

from collections.abc import Mapping

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct, replace
from cvec_circus_core.policy.watcher.spec_change import changed


class WatcherPlan(Struct, frozen=True):
    """By watcher key: which are added, removed, or live by another spec."""

    add: Mapping[str, WatcherSpec]
    remove: tuple[str, ...]
    change: Mapping[str, WatcherSpec]


def plan_watchers(
    old_file: Mapping[str, WatcherSpec],
    new_file: Mapping[str, WatcherSpec],
    in_force: Mapping[str, WatcherSpec],
) -> WatcherPlan:
    """Return what turns the watchers in force into those of the new file."""
    change = {}
    for key, new in new_file.items():
        if key in in_force:
            merged = _merged(old_file.get(key), new, in_force[key])
            if changed(in_force[key], merged).fields:
                change[key] = merged
    return WatcherPlan(
        add={key: spec for key, spec in new_file.items() if key not in in_force},
        remove=tuple(key for key in old_file if key not in new_file and key in in_force),
        change=change,
    )


def _merged(old: WatcherSpec | None, new: WatcherSpec, now: WatcherSpec) -> WatcherSpec:
    if old is None:
        return new
    fields = changed(old, new).fields
    return replace(now, **{name: getattr(new, name) for name in fields})
