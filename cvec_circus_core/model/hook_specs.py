"""Hooks of the operator: callables that a watcher asks or tells at moments of its life.

They are declared by ``hooks.NAME = module.callable[, ignore]``, or ``gate:NAME`` for one that an
installed package brings by that name; what each is told, and which answer counts, is said where
they are called.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cvec_circus_core.model.kinds import BOOLEAN, Kind
from cvec_circus_core.model.values import Struct

HOOK_NAMES = frozenset(
    {
        *("before_start", "after_start", "before_spawn", "after_spawn", "before_stop"),
        *("after_stop", "before_signal", "after_signal", "before_reap", "after_reap"),
        "extended_stats",
    }
)

GATE = "gate:"
"""What stands before the name of a gate (`extend/gates.py`)."""

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+|gate:[\w.-]+")
_FORM = "a hook"


class HookSpec(Struct, frozen=True):
    """One hook: what to call, and whether an exception in it counts as consent."""

    call: Any
    """A dotted name, a gate's name, or a ready-made callable where Python gave it."""
    ignore_failure: bool = False


def _parse_hook(text: str) -> HookSpec:
    name, _, flag = (part.strip() for part in text.partition(","))
    if not _DOTTED.fullmatch(name):
        raise ValueError(_FORM)
    try:
        return HookSpec(name, BOOLEAN.parse(flag) if flag else False)
    except ValueError:
        raise ValueError(_FORM) from None


def _check_hook(value: object) -> HookSpec:
    match value:
        case HookSpec():
            return value
        case str():
            return _parse_hook(value)
        case [str() as name, bool() as ignore]:
            return HookSpec(_parse_hook(name).call, ignore)
        case [call, bool() as ignore] if callable(call):
            return HookSpec(call, ignore)
        case _ if callable(value):
            return HookSpec(value)
        case _:
            raise ValueError(_FORM)


def _name_of(call: Callable[..., Any]) -> str:
    source = call if hasattr(call, "__qualname__") else type(call)
    return f"{source.__module__}.{source.__qualname__}"


def name_of_hook(hook: HookSpec) -> str:
    """Return what people know a hook by."""
    return hook.call if isinstance(hook.call, str) else _name_of(hook.call)


def _show_hook(hook: HookSpec) -> str:
    name = name_of_hook(hook)
    return f"{name},true" if hook.ignore_failure else name


HOOK = Kind("hook", "module.callable or module.callable,true", _parse_hook, _check_hook, _show_hook)
