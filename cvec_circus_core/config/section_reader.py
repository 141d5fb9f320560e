"""The options of one section, from texts to values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from cvec_circus_core.config.expansion import expand
from cvec_circus_core.config.findings import Findings
from cvec_circus_core.config.raw import RawSection
from cvec_circus_core.config.unimplemented import NOT_YET
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.option_reader import (
    Free,
    Place,
    Plain,
    UnknownMember,
    canonical_key,
    locate,
    parse,
    probably_meant,
)
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.text import TooLong
from cvec_circus_core.model.values import Struct

_INERT = Fault("", "is left over from older files and has no effect")
_LEFT_OVER = frozenset({"use_papa", "papa_endpoint"})
"""What only older files have, also where it never was an option."""


class Given(Struct, frozen=True):
    """One option of a section, as it was read."""

    key: str
    place: Place
    text: str
    value: Any


def given_options(
    of: type, section: RawSection, variables: Mapping[str, str], findings: Findings
) -> Iterator[Given]:
    """Read the options of a section, in order, leaving out those that can not be read."""
    first_keys: dict[str, str] = {}
    for key, raw in section.values.items():
        try:
            text, unknown = expand(raw.text, variables)
        except TooLong as error:
            findings.refuse(section, Fault("", f"isn't of use: {error}"), key)
            continue
        for name in unknown:
            sentence = f"names the environment variable {name}, which is not set"
            findings.doubt(section, Fault("", sentence), key)
        canonical = canonical_key(of, key)
        if canonical in first_keys:
            sentence = f"means the same as {first_keys[canonical]}, which counts"
            findings.doubt(section, Fault("", sentence), key)
            continue
        first_keys[canonical] = key
        place = locate(of, key)
        _doubt_inert(place, section, key, findings)
        try:
            entry = Given(key, place, text, parse(place, text))
        except Fault as refused:
            unknown_key = isinstance(refused, UnknownMember)
            fault = _with_hint(of, key, refused) if unknown_key else refused
            findings.refuse(section, fault, key, text)
            continue
        if of is ArbiterSpec:
            _doubt_not_yet(section, entry, findings)
        yield entry


def doubt_unknown(of: type, section: RawSection, given: Given, findings: Findings) -> None:
    """Warn that nobody knows a key, and say which one was probably meant."""
    is_known = given.key in _LEFT_OVER
    fault = _INERT if is_known else _with_hint(of, given.key, Fault("", "is not known"))
    findings.doubt(section, fault, given.key)


def doubt_free(of: type, section: RawSection, given: Given, findings: Findings) -> None:
    """Warn of a free-form key, unless it has a dot, an older name, or a use in its own section."""
    key = given.key
    meant = _probably_meant(of, key)
    if given.place != Free(key) or (not meant and ("." in key or _is_used(section, key))):
        return
    hint = meant or f"no option has this name (my.{key}, with a dot, says that it is meant)"
    findings.doubt(section, Fault("", f"is kept as a free-form option; {hint}"), key)


def _probably_meant(of: type, key: str) -> str:
    # For mistakes only.
    words = import_module("cvec_circus_core.config.foreign_option_names")
    if hint := words.hint(key):
        return str(hint)
    meant = probably_meant(of, key)
    return f"did you mean {meant}?" if meant else ""


def _is_used(section: RawSection, key: str) -> bool:
    variable = f"(circus.{key})".lower()
    return any(variable in raw.text.lower() for raw in section.values.values())


def plain_values(
    of: type, section: RawSection, variables: Mapping[str, str], findings: Findings
) -> dict[str, Any]:
    """Read a section whose options are all declared, and warn of the others."""
    values = {}
    for entry in given_options(of, section, variables, findings):
        if isinstance(entry.place, Plain):
            values[entry.place.option.name] = entry.value
        else:
            doubt_unknown(of, section, entry, findings)
    return values


def _doubt_inert(place: Place, section: RawSection, key: str, findings: Findings) -> None:
    if isinstance(place, Plain) and place.option.inert:
        findings.doubt(section, _INERT, key)


def _doubt_not_yet(section: RawSection, given: Given, findings: Findings) -> None:
    if not isinstance(given.place, Plain):
        return
    option = given.place.option
    if option.name in NOT_YET and given.value != option.default:
        findings.doubt(section, Fault("", "has no effect in this version"), given.key)


def _with_hint(of: type, key: str, refused: Fault) -> Fault:
    meant = probably_meant(of, key)
    if meant is None or meant == key:
        return refused
    return Fault("", f"{refused.sentence}; did you mean {meant}?", refused.allowed)
