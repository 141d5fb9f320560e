"""Variables in a configuration file, replaced while it is read.

Two kinds, replaced in one pass each, so that what was inserted is never looked at again:

* ``$(circus.env.NAME)`` and ``((circus.env.NAME))`` in the value of any option. Case does not
  matter, unless two variables differ in nothing else. A name that is not set stays as it is, for
  the moment of the spawn to try again.
* ``$NAME``, where NAME is an upper-case identifier, in the env sections only. A variable that is
  not set is empty, ``$$`` is a dollar, and ``$WID`` stays for the moment of the spawn.

A variable of an env section sees the lines above its own, the env sections before its own, and the
daemon's environment, which for ``$NAME`` comes before other sections: ``PATH = /x:$PATH`` means the
daemon's PATH, whatever a section for more watchers has made of it. Values that come from the
daemon's environment are never expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from cvec_circus_core.config.findings import Findings
from cvec_circus_core.config.raw import RawSection
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.option_reader import nearest
from cvec_circus_core.model.text import TooLong, expanded

ENV = "env"
_ENV_OF = "env:"
_AT_SPAWN = "WID"

_PATH = r"\$\(circus\.env\.(?P<path>[\w.-]+)\)|\(\(circus\.env\.(?P<path2>[\w.-]+)\)\)"
_VARIABLE = re.compile(_PATH, re.IGNORECASE | re.ASCII)
_VARIABLE_OR_NAME = re.compile(
    rf"(?P<dollar>\$\$)|{_PATH}|\$(?P<name>[a-z_]\w*)", re.IGNORECASE | re.ASCII
)


def expand(text: str, variables: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """Replace ``$(circus.env.NAME)``; return the text, and the names that are not set.

    Raises `TooLong`.
    """
    unknown: list[str] = []

    def replace(found: re.Match[str]) -> str:
        name = found["path"] or found["path2"]
        value = _look_up(name, variables)
        if value is None:
            unknown.append(name)
            return found[0]
        return value

    return expanded(_VARIABLE, replace, text), tuple(unknown)


def expand_variable(
    text: str, variables: Mapping[str, str], dollars: Mapping[str, str] | None = None
) -> str:
    """Replace everything that may stand in the value of an env section. Raises `TooLong`.

    ``dollars`` are the values of ``$NAME``, where those are others.
    """
    by_name = variables if dollars is None else dollars

    def replace(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        if name := found["name"]:
            replaced = name.isupper() and name != _AT_SPAWN
            return by_name.get(name, "") if replaced else found[0]
        value = _look_up(found["path"] or found["path2"], variables)
        return found[0] if value is None else value

    return expanded(_VARIABLE_OR_NAME, replace, text)


def _look_up(name: str, variables: Mapping[str, str]) -> str | None:
    if name in variables:
        return variables[name]
    lower_name = name.lower()
    return next((value for key, value in variables.items() if key.lower() == lower_name), None)


_NAME = re.compile(r"[\w.%-]+")
_NAMES = "letters, digits, _ . - and %"


class Environments:
    """The env sections of a configuration, for each watcher."""

    def __init__(self, sections: Iterable[RawSection], environ: Mapping[str, str]) -> None:
        sections = tuple(sections)
        self._sections = sections
        self._environ = environ
        self._lists = tuple(section for section in sections if section.name.startswith(_ENV_OF))
        common = next((section for section in sections if section.name == ENV), RawSection(ENV))
        self._too_long: dict[tuple[str, str], str] = {}
        self._common = self._with(common, {})
        for section in self._lists:
            self._with(section, self._common)

    @property
    def common(self) -> Mapping[str, str]:
        """What ``[env]`` gives to all watchers."""
        return self._common

    def of(self, watcher: str) -> Mapping[str, str]:
        """Return the variables that the env sections give to a watcher, later ones winning."""
        variables = self._common
        for section in self._lists:
            if _is_listed(watcher, section.name.removeprefix(_ENV_OF)):
                variables = self._with(section, variables)
        return variables

    def seen(self, given: Mapping[str, str]) -> Mapping[str, str]:
        """Return what ``circus.env`` means beside these variables."""
        return {**self._environ, **given}

    def refuse_too_long(self, findings: Findings) -> None:
        """Find variables that name others until nothing can hold them."""
        for section in self._sections:
            for key in section.values:
                if sentence := self._too_long.get((section.name, key)):
                    findings.refuse(section, Fault("", f"isn't of use: {sentence}"), key)

    def _with(self, section: RawSection, given: Mapping[str, str]) -> Mapping[str, str]:
        variables = dict(given)
        visible = {**self._environ, **given}
        dollars = {**given, **self._environ}
        for name, raw in section.values.items():
            try:
                variables[name] = visible[name] = dollars[name] = expand_variable(
                    raw.text, visible, dollars
                )
            except TooLong as error:
                self._too_long[section.name, name] = str(error)
        return variables


def look_at_env_sections(sections: Iterable[RawSection], findings: Findings) -> None:
    """Find variables that can not be, and lists that no watcher is on."""
    sections = tuple(sections)
    names = frozenset(_listable(sections))
    for section in sections:
        if section.name.startswith(_ENV_OF):
            _doubt_list(section, names, findings)
        elif section.name != ENV:
            continue
        for key, raw in section.values.items():
            if "\0" in key + raw.text:
                findings.refuse(section, Fault("", "isn't a text without NUL characters"), key)
            elif not _NAME.fullmatch(key):
                findings.refuse(section, Fault("", "isn't the name of a variable", _NAMES), key)


def _listable(sections: Iterable[RawSection]) -> Iterator[str]:
    for section in sections:
        kind, _, name = section.name.partition(":")
        if kind.strip() in ("watcher", "plugin") and name.strip():
            yield name_key(name if kind.strip() == "watcher" else f"plugin:{name.strip()}")


def _doubt_list(section: RawSection, names: frozenset[str], findings: Findings) -> None:
    patterns = [word.strip() for word in section.name.removeprefix(_ENV_OF).split(",")]
    if not any(patterns):
        findings.doubt(section, Fault("", "names no watcher, so it has no effect"))
    for pattern in filter(None, patterns):
        is_known = name_key(pattern) in names or any(_is_listed(name, pattern) for name in names)
        if not is_known:
            meant = nearest(pattern, sorted(names))
            hint = f"; did you mean {meant}?" if meant else ""
            sentence = f"matches no watcher or plugin with {pattern!r}{hint}"
            findings.doubt(section, Fault("", sentence))


def _is_listed(watcher: str, patterns: str) -> bool:
    return any(fnmatchcase(name_key(watcher), name_key(pattern)) for pattern in patterns.split(","))
