"""How an option is declared: once, on the field that holds it.

Parsing of files, ``add``, ``set``, ``get``, ``options``, ``--help`` and the reference read the
declaration; nobody repeats it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from functools import cache
from typing import Any

from cvec_circus_core.model.kinds import Kind


class Needs(Enum):
    """What a running watcher has to do when an option changes."""

    NOTHING = "used from now on"
    RESIZE = "processes are added or removed"
    NEW_PROCESSES = "processes are replaced by a graceful reload"
    NEW_STREAMS = "streams are opened anew"
    NEW_HOOKS = "hooks are imported anew"
    NEW_WATCHER = "can only be given when the watcher is made"


@dataclass(frozen=True, slots=True)
class Option:
    """One declared option: its name, kind, default and consequence."""

    name: str
    kind: Kind
    default: Any
    help: str
    changing: Needs
    aliases: tuple[str, ...] = ()
    settable: bool = True
    """Whether ``set`` takes it on a watcher that is there already."""


@dataclass(frozen=True, slots=True)
class _Declared:
    kind: Kind
    help: str
    changing: Needs
    aliases: tuple[str, ...]


def option(
    default: Any,
    kind: Kind,
    help: str,
    *,
    changing: Needs = Needs.NOTHING,
    aliases: tuple[str, ...] = (),
) -> Any:
    """Declare one option as the default of a dataclass field."""
    metadata = {"option": _Declared(kind, help, changing, aliases)}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@cache
def declared_options(of: type) -> Mapping[str, Option]:
    """Return the options that a spec class declares, by name, in order of declaration."""
    found: dict[str, Option] = {}
    for one in fields(of):
        said = one.metadata.get("option")
        if said is None:
            continue
        default = one.default if one.default is not MISSING else _made(one.default_factory)
        found[one.name] = Option(
            one.name,
            said.kind,
            default,
            said.help,
            said.changing,
            said.aliases,
            said.changing is not Needs.NEW_WATCHER,
        )
    return found


@cache
def option_names(of: type) -> Mapping[str, str]:
    """Return the canonical name for every name and alias that a spec class takes."""
    names = {name: name for name in declared_options(of)}
    for name, one in declared_options(of).items():
        names.update(dict.fromkeys(one.aliases, name))
    return names


def _made(factory: Callable[[], Any] | Any) -> Any:
    return factory() if callable(factory) else None
