"""How an option is declared: once, on the field that holds it.

Parsing of files, ``add``, ``set``, ``get``, ``options``, ``--help`` and the reference read the
declaration; nobody repeats it. The classes that hold options are `Spec`s or dataclasses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields
from enum import Enum
from functools import cache
from typing import Any

from cvec_circus_core.model.kinds import Kind
from cvec_circus_core.model.values import Struct, StructMeta, field as default_of


class Needs(Enum):
    """What a running watcher has to do when an option changes."""

    NOTHING = "used from now on"
    RESIZE = "processes are added or removed"
    NEW_PROCESSES = "processes are replaced by a graceful reload"
    NEW_STREAMS = "streams are opened anew"
    NEW_HOOKS = "hooks are imported anew"
    NEW_WATCHER = "can only be given when the watcher is made"
    NEW_DAEMON = "counts when the daemon starts"


class Option(Struct, frozen=True):
    """One declared option: its name, kind, default and consequence."""

    name: str
    kind: Kind
    default: Any
    help: str
    changing: Needs
    aliases: tuple[str, ...] = ()
    settable: bool = True
    """Whether ``set`` takes it on a watcher that is there already."""
    inert: bool = False
    """Whether it is taken from older files only, and does nothing."""
    secret: bool = False
    """Whether its value may not be shown, not even where it is wrong."""


class Family(Struct, frozen=True):
    """Options that share a prefix and a field, such as ``rlimit_NAME`` or ``hooks.NAME``.

    The field holds one value per member. ``names`` are the known members; None where any will do.
    """

    name: str
    prefix: str
    kind: Kind
    help: str
    changing: Needs
    names: frozenset[str] | None = None
    aliases: tuple[str, ...] = ()
    any_case: bool = False
    keeps_null: bool = False
    """Whether JSON's null is a value; else it takes the member away."""
    kinds: Mapping[str, Kind] = default_of(default_factory=dict)
    """Members whose kind is another."""

    def kind_of(self, member: str) -> Kind:
        """Return what values a member takes."""
        return self.kinds.get(member, self.kind)

    def member(self, key: str) -> str | None:
        """Return which member a key speaks of, or None where it is no key of this family."""
        if not key.startswith(self.prefix):
            return None
        member = key.removeprefix(self.prefix)
        return member.lower() if self.any_case else member


class _Declared(Struct, frozen=True):
    kind: Kind
    help: str
    changing: Needs
    aliases: tuple[str, ...]
    inert: bool
    secret: bool


def option(
    default: object,
    kind: Kind,
    help: str,
    *,
    changing: Needs = Needs.NOTHING,
    aliases: tuple[str, ...] = (),
    inert: bool = False,
    secret: bool = False,
    positional: bool = False,
) -> Any:
    """Declare one option as the default of a field.

    ``positional``: the constructor takes it without its name, too.
    """
    metadata = {"option": _Declared(kind, help, changing, aliases, inert, secret)}
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata, kw_only=False if positional else MISSING)


def family(prefix: str, kind: Kind, help: str, *, changing: Needs, **how: Any) -> dict[str, Any]:
    """Declare a family of options as the default of a field; see `Family`."""
    return field(default_factory=dict, metadata={"family": (prefix, kind, help, changing, how)})


def free_form(renamed: Mapping[str, str]) -> dict[str, Any]:
    """Declare the field of options that nobody declared, with the older names of some of them."""
    return field(default_factory=dict, metadata={"renamed": renamed})


class _Declaring(StructMeta):
    """Makes a struct of a class whose fields are declared as those of a dataclass."""

    declared: tuple[Field[Any], ...]

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **how: Any
    ) -> _Declaring:
        """Give the struct the defaults, and keep the declarations."""
        declared = {
            key: declaration
            for key, declaration in namespace.items()
            if isinstance(declaration, Field)
        }
        for key, declaration in declared.items():
            declaration.name = key
            if declaration.default_factory is MISSING:
                namespace[key] = declaration.default
            else:
                namespace[key] = default_of(default_factory=declaration.default_factory)
        struct = super().__new__(cls, name, bases, namespace, **how)
        struct.declared = tuple(declared.values())
        return struct


class Spec(Struct, metaclass=_Declaring, frozen=True):
    """What the declared options of one thing make: a frozen value."""


def _fields(of: type) -> tuple[Field[Any], ...]:
    return of.declared if isinstance(of, _Declaring) else fields(of)


@cache
def declared_options(of: type) -> Mapping[str, Option]:
    """Return the options that a spec class declares, by name, in order of declaration."""
    options: dict[str, Option] = {}
    for field_ in _fields(of):
        declaration = field_.metadata.get("option")
        if declaration is None:
            continue
        default = field_.default if field_.default is not MISSING else _made(field_.default_factory)
        options[field_.name] = Option(
            field_.name,
            declaration.kind,
            default,
            declaration.help,
            declaration.changing,
            declaration.aliases,
            declaration.changing is not Needs.NEW_WATCHER,
            declaration.inert,
            declaration.secret,
        )
    return options


@cache
def declared_families(of: type) -> Mapping[str, Family]:
    """Return the families that a spec class declares, by the name of their field."""
    families = {}
    for field_ in _fields(of):
        if declaration := field_.metadata.get("family"):
            prefix, kind, help, changing, how = declaration
            families[field_.name] = Family(field_.name, prefix, kind, help, changing, **how)
    return families


@cache
def renamed_options(of: type) -> Mapping[str, str]:
    """Return the newer name for every older name of a free-form option."""
    return {
        old: new
        for field_ in _fields(of)
        for old, new in field_.metadata.get("renamed", {}).items()
    }


@cache
def option_names(of: type) -> Mapping[str, str]:
    """Return the canonical name for every name and alias that a spec class takes."""
    names = {name: name for name in declared_options(of)}
    for name, option in declared_options(of).items():
        names.update(dict.fromkeys(option.aliases, name))
    return names


def _made(factory: object) -> object:
    return factory() if callable(factory) else None
