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
from cvec_circus_core.model.values import Struct, field
from cvec_circus_core.policy.config_plan import Plan
from cvec_circus_core.policy.order import start_order, stop_order
from cvec_circus_core.policy.watcher.spec_change import changed


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


class Step(Struct, frozen=True):
    """What happens to one watcher."""

    watcher: str
    action: Action
    reason: str
    priority: int = 0


class Present(Struct, frozen=True):
    """What is there when the plan is made."""

    specs: Mapping[str, WatcherSpec]
    conditions: Mapping[str, Condition]
    from_file: Collection[str]
    """Keys of the watchers that the old file had."""
    keen: Collection[str] = field(default=())
    """Keys of watchers that get other sockets."""


class _Named(Struct, frozen=True):
    spec: WatcherSpec
    key: str


def steps(plan: Plan, present: Present) -> tuple[Step, ...]:
    """Return what happens, in this order."""
    return (*_leaving(plan, present), *_staying(plan, present))


def _leaving(plan: Plan, present: Present) -> Iterator[Step]:
    for one in stop_order([_Named(present.specs[key], key) for key in plan.remove]):
        spec = one.spec
        yield Step(spec.name, Action.REMOVE, "it is not in the file any more", spec.priority)


def _staying(plan: Plan, present: Present) -> Iterator[Step]:
    after = {
        **{key: spec for key, spec in present.specs.items() if key not in plan.remove},
        **plan.change,
        **plan.add,
    }
    for one in start_order([_Named(spec, key) for key, spec in after.items()]):
        name, priority = one.spec.name, one.spec.priority
        if one.key in plan.add:
            off = "" if one.spec.autostart else "; autostart is off"
            yield Step(name, Action.ADD, f"it is new in the file{off}", priority)
        elif one.key in plan.change or one.key in present.keen:
            action, why = _change(one.key, one.spec, present)
            yield Step(name, action, why, priority)
        elif one.key in present.from_file:
            yield Step(name, Action.KEEP, "nothing differs", priority)
        else:
            yield Step(name, Action.KEEP, "it was added at run time", priority)


def _change(key: str, new: WatcherSpec, present: Present) -> tuple[Action, str]:
    old = present.specs[key]
    what = changed(old, new)
    why = f"{_listed(what.keys)} {'differs' if len(what.keys) == 1 else 'differ'}"
    if not what.keys:
        why = "it uses a socket that differs"
    match present.conditions[key]:
        case Condition.DOWN:
            return Action.SET, f"{why}; it is stopped and stays so"
        case Condition.GAVE_UP:
            return Action.START, f"{why}; it had given up"
    if Needs.NEW_WATCHER in what.needs:
        return Action.RESTART, why
    if Needs.NEW_PROCESSES in what.needs or key in present.keen or _needs_pipes(old, new):
        return Action.RELOAD, why
    if old.numprocesses != new.numprocesses:
        return Action.RESIZE, f"{why}: {old.numprocesses} become {new.numprocesses}"
    return Action.SET, why


def _needs_pipes(old: WatcherSpec, new: WatcherSpec) -> bool:
    """Tell whether a channel has a stream now that had none, or the reverse."""
    channels = ("stdout_stream", "stderr_stream")
    return any(bool(getattr(old, channel)) != bool(getattr(new, channel)) for channel in channels)


def _listed(keys: tuple[str, ...]) -> str:
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
    return OptionsPlan(tuple(one for one in differ if one not in later), tuple(later))


def key_of(step: Step) -> str:
    """Return the key of a step's watcher."""
    return name_key(step.watcher)
