"""A plan in words: what a new configuration means for each watcher, and why.

The order is that of doing: first those that go, lowest priority first, then the others, highest
priority first.

    keep     nothing of it differs
    add      it is new, and started unless autostart is off
    remove   it is gone from the file: stopped and forgotten
    reload   new processes take over from the old ones
    restart  it is stopped and started: no gentler way will do
    resize   processes are added or stopped, the others stay
    set      what differs counts from now on, all processes stay
    start    it had given up, and is tried again with what differs
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from enum import Enum

from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.options import Needs, declared_options
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct
from cvec_circus_core.policy.order import start_order, stop_order
from cvec_circus_core.policy.watcher.spec_change import changed
from cvec_circus_core.policy.watcher_plan import WatcherPlan


class Action(Enum):
    """What happens to a watcher."""

    KEEP = "keep"
    ADD = "add"
    REMOVE = "remove"
    RELOAD = "reload"
    RESTART = "restart"
    RESIZE = "resize"
    SET = "set"
    START = "start"


class Condition(Enum):
    """How a watcher is when the plan is made."""

    UP = "up"
    DOWN = "down"
    GAVE_UP = "gave up"
    COMPLETED = "completed"


class ConfigStep(Struct, frozen=True):
    """What happens to one watcher."""

    watcher: str
    action: Action
    reason: str
    priority: int = 0

    @property
    def key(self) -> str:
        """The key of its watcher."""
        return name_key(self.watcher)


class _Keyed(Struct, frozen=True):
    spec: WatcherSpec
    key: str


class _Present(Struct, frozen=True):
    specs: Mapping[str, WatcherSpec]
    conditions: Mapping[str, Condition]
    in_file: Collection[str]
    other_sockets: Collection[str]


def steps(
    plan: WatcherPlan,
    specs: Mapping[str, WatcherSpec],
    conditions: Mapping[str, Condition],
    in_file: Collection[str],
    other_sockets: Collection[str] = (),
) -> tuple[ConfigStep, ...]:
    """Return what happens to the watchers in force, in this order; all are named by their keys.

    ``in_file`` are those that the old file had, ``other_sockets`` those whose sockets differ.
    """
    present = _Present(specs, conditions, in_file, other_sockets)
    return (*_removals(plan, present), *_staying(plan, present))


def _removals(plan: WatcherPlan, present: _Present) -> Iterator[ConfigStep]:
    for watcher in stop_order([_Keyed(present.specs[key], key) for key in plan.remove]):
        spec = watcher.spec
        yield ConfigStep(spec.name, Action.REMOVE, "it is not in the file any more", spec.priority)


def _staying(plan: WatcherPlan, present: _Present) -> Iterator[ConfigStep]:
    after = {
        **{key: spec for key, spec in present.specs.items() if key not in plan.remove},
        **plan.change,
        **plan.add,
    }
    for watcher in start_order([_Keyed(spec, key) for key, spec in after.items()]):
        action, why = _action(watcher.key, watcher.spec, plan, present)
        yield ConfigStep(watcher.spec.name, action, why, watcher.spec.priority)


def _action(
    key: str, spec: WatcherSpec, plan: WatcherPlan, present: _Present
) -> tuple[Action, str]:
    if key in plan.add:
        off = "" if spec.autostart else "; autostart is off"
        return Action.ADD, f"it is new in the file{off}"
    if key in plan.change or key in present.other_sockets:
        return _change(key, spec, present)
    if key in present.in_file:
        return Action.KEEP, "nothing differs"
    return Action.KEEP, "it was added at run time"


def _change(key: str, new: WatcherSpec, present: _Present) -> tuple[Action, str]:
    old = present.specs[key]
    difference = changed(old, new)
    why = f"{_joined(difference.keys)} {'differs' if len(difference.keys) == 1 else 'differ'}"
    if not difference.keys:
        why = "it uses a socket that differs"
    match present.conditions[key]:
        case Condition.DOWN:
            return Action.SET, f"{why}; it is stopped and stays so"
        case Condition.COMPLETED:
            return Action.SET, f"{why}; it has come to its end and stays so"
        case Condition.GAVE_UP:
            return Action.START, f"{why}; it had given up"
    if Needs.NEW_WATCHER in difference.needs:
        return Action.RESTART, why
    if (
        Needs.NEW_PROCESSES in difference.needs
        or key in present.other_sockets
        or _needs_pipes(old, new)
    ):
        return Action.RELOAD, why
    if old.numprocesses != new.numprocesses:
        return Action.RESIZE, f"{why}: {old.numprocesses} become {new.numprocesses}"
    return Action.SET, why


def _needs_pipes(old: WatcherSpec, new: WatcherSpec) -> bool:
    """Tell whether a channel has a stream now that had none, or the reverse."""
    channels = ("stdout_stream", "stderr_stream")
    return any(bool(getattr(old, channel)) != bool(getattr(new, channel)) for channel in channels)


def _joined(keys: tuple[str, ...]) -> str:
    if len(keys) < 2:
        return "".join(keys)
    return f"{', '.join(keys[:-1])} and {keys[-1]}"


class OptionsPlan(Struct, frozen=True):
    """The daemon's own options that differ: those that count at once, and those that do not."""

    at_once: tuple[str, ...] = ()
    at_next_start: tuple[str, ...] = ()


def plan_options(now: ArbiterSpec, new: ArbiterSpec) -> OptionsPlan:
    """Return which of the daemon's own options differ."""
    declared = declared_options(ArbiterSpec)
    differ = [name for name in declared if getattr(now, name) != getattr(new, name)]
    later = [name for name in differ if declared[name].changing is Needs.NEW_DAEMON]
    return OptionsPlan(tuple(name for name in differ if name not in later), tuple(later))
