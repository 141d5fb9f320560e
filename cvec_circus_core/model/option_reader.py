"""The one reader of declared options: what a key speaks of, and what its value is.

A key is a declared option, a member of a family, a whole family, or anything else. The sections of
a file, commands, plugins and streams are read here; only the form of the value differs (text, JSON
or either). The declarations say everything that is asked, so no option is named in this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.options import (
    Family,
    Option,
    declared_families,
    declared_options,
    option_names,
    renamed_options,
)
from cvec_circus_core.model.values import Struct


class UnknownMember(Fault):
    """A key of a family whose members are all known, and which is none of them."""

    def __init__(self, family: Family, member: str) -> None:
        names = ", ".join(f"{family.prefix}{name}" for name in sorted(family.names or ()))
        super().__init__(f"{family.prefix}{member}", "is not known", names)


class Plain(Struct, frozen=True):
    """A declared option."""

    option: Option


class Member(Struct, frozen=True):
    """One member of a family."""

    family: Family
    member: str


class Whole(Struct, frozen=True):
    """All members of a family at once."""

    family: Family


class Free(Struct, frozen=True):
    """A key that nobody declared, by the newer name where it has one."""

    key: str


Place = Plain | Member | Whole | Free


# Thousands of watchers say the same few keys.
@lru_cache(maxsize=1024)
def locate(of: type, key: str) -> Place:
    """Return what a key of this spec class speaks of."""
    if canonical := option_names(of).get(key):
        return Plain(declared_options(of)[canonical])
    for family in declared_families(of).values():
        if key == family.name or key in family.aliases:
            return Whole(family)
        if member := family.member(key):
            return Member(family, member)
    return Free(renamed_options(of).get(key, key))


def canonical_key(of: type, key: str) -> str:
    """Return the name under which a key's value is shown."""
    match locate(of, key):
        case Plain(option):
            return option.name
        case Member(family, member):
            return f"{family.prefix}{member}"
        case Whole(family):
            return family.name
        case Free(free):
            return free


@lru_cache(maxsize=256)
def probably_meant(of: type, key: str) -> str | None:
    """Return the known key that an unknown one resembles, or None."""
    head, dot, tail = key.partition(".")
    families = declared_families(of).values()
    if dot:
        close = nearest(head, (family.prefix.rstrip(".") for family in families))
        return f"{close}.{tail}" if close and close != head else None
    members = (f"{family.prefix}{name}" for family in families for name in family.names or ())
    return nearest(key, (*option_names(of), *members, *renamed_options(of)))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is probably meant, or None."""
    likeness = import_module("difflib")  # for mistakes only, and not small
    close: list[str] = likeness.get_close_matches(name.lower(), list(known), n=1, cutoff=0.8)
    return close[0] if close else None


def parse(place: Place, text: str) -> object:
    """Read the text of a file. Raises `Fault`."""
    match place:
        case Plain(option):
            return _read(option.kind.parse, text, option)
        case Member(family, member):
            _require_known(family, member)
            return _read(family.kind_of(member).parse, text, family, member)
        case Whole(family):
            raise Fault(family.name, "isn't an option by itself", f"{family.prefix}NAME")
        case Free():
            return text


def check(place: Place, value: object) -> object:
    """Take a JSON or Python value. Raises `Fault`."""
    match place:
        case Plain(option):
            return _read(option.kind.check, value, option)
        case Member(family, member):
            return _check_member(family, member, value)
        case Whole(family):
            return _check_family(family, value)
        case Free():
            return value


def _check_member(family: Family, member: str, value: object) -> object:
    _require_known(family, member)
    if value is None and not family.keeps_null:
        return None
    return _read(family.kind_of(member).check, value, family, member)


def _check_family(family: Family, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Fault(family.name, "isn't an object")
    members = {}
    for key, item in value.items():
        # A library caller may give RLIMIT_NOFILE as well as nofile.
        short = key.lower().removeprefix(family.prefix) if family.any_case else key
        if item is not None or family.keeps_null:
            members[short] = _check_member(family, short, item)
    return members


def _require_known(family: Family, member: str) -> None:
    if family.names is not None and member not in family.names:
        raise UnknownMember(family, member)


def read_option(option: Option, value: object) -> object:
    """Return the value of one option, given as text or as what it is. Raises `Fault`."""
    if value == option.default and type(value) is type(option.default):
        return value
    return _read(option.kind.parse if isinstance(value, str) else option.kind.check, value, option)


def read_options(of: type, values: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """Return what the declared ones of some options are, by name, and what is wrong with others.

    Keys that are not declared are left to the caller.
    """
    names, declared = option_names(of), declared_options(of)
    read: dict[str, Any] = {}
    faults: list[Fault] = []
    for key, value in values.items():
        if key not in names:
            continue
        option = declared[names[key]]
        try:
            read[option.name] = read_option(option, value)
        except Fault as fault:
            faults.append(Fault(key, fault.sentence, fault.allowed, is_secret=fault.is_secret))
    return read, faults


def _read(
    convert: Callable[[Any], Any], value: object, declared: Option | Family, member: str = ""
) -> object:
    try:
        return convert(value)
    except ValueError as error:
        key = f"{declared.prefix}{member}" if isinstance(declared, Family) else declared.name
        is_secret = isinstance(declared, Option) and declared.secret
        sentence = f"isn't {error}"
        raise Fault(key, sentence, declared.kind.allowed, is_secret=is_secret) from None
