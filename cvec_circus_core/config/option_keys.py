"""What a key speaks of: a declared option, a member of a family, a whole family, or anything else.

Files and commands share this; only the reading of the value differs (text or JSON). The
declarations in `model` say everything that is asked here, so no option is named in this module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from cvec_circus_core.model.options import (
    Family,
    Option,
    declared_families,
    declared_options,
    option_names,
    renamed_options,
)
from cvec_circus_core.model.values import Struct


class Refused(ValueError):
    """A value, or a set of values, that can not be used.

    ``sentence`` continues the name of the key: "isn't an integer".
    """

    def __init__(self, sentence: str, allowed: str = "", key: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.allowed = allowed
        self.key = key


class UnknownMember(Refused):
    """A key of a family whose members are all known, and which is none of them."""

    def __init__(self, family: Family, member: str) -> None:
        known = ", ".join(f"{family.prefix}{name}" for name in sorted(family.names or ()))
        super().__init__("is not known", known, f"{family.prefix}{member}")


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


def parse(place: Place, text: str) -> Any:
    """Read the text of a file. Raises `Refused`."""
    match place:
        case Plain(option):
            return _read(option.kind.parse, text, option.kind.allowed, option.name)
        case Member(family, member):
            _require_known(family, member)
            return _read(family.kind.parse, text, family.kind.allowed, f"{family.prefix}{member}")
        case Whole(family):
            raise Refused("isn't an option by itself", f"{family.prefix}NAME", family.name)
        case Free():
            return text


def check(place: Place, value: Any) -> Any:
    """Take a JSON or Python value. Raises `Refused`."""
    match place:
        case Plain(option):
            return _read(option.kind.check, value, option.kind.allowed, option.name)
        case Member(family, member):
            return _check_member(family, member, value)
        case Whole(family):
            return _check_family(family, value)
        case Free():
            return value


def _check_member(family: Family, member: str, value: Any) -> Any:
    _require_known(family, member)
    if value is None and not family.keeps_null:
        return None
    return _read(family.kind.check, value, family.kind.allowed, f"{family.prefix}{member}")


def _check_family(family: Family, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Refused("isn't an object", key=family.name)
    found = {}
    for key, item in value.items():
        # A library caller may give RLIMIT_NOFILE as well as nofile.
        short = key.lower().removeprefix(family.prefix) if family.any_case else key
        if item is not None or family.keeps_null:
            found[short] = _check_member(family, short, item)
    return found


def _require_known(family: Family, member: str) -> None:
    if family.names is not None and member not in family.names:
        raise UnknownMember(family, member)


def _read(how: Callable[[Any], Any], value: Any, allowed: str, key: str) -> Any:
    try:
        return how(value)
    except ValueError as error:
        raise Refused(f"isn't {error}", allowed, key) from None
