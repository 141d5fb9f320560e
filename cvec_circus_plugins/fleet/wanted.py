"""What a fleet shall run: a configuration of watchers, as text, and as it is kept in the store.

The text is a configuration file like any other, of watchers alone. Four keys more say where:
``fleet``, ``where``, ``anti_affinity`` and ``max_per_host``. Each text that is applied is a
revision with a number of its own, so that there is a history, and a way back.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cvec_circus_core import api
from cvec_circus_core.api import BadConfig, BadMessage, JsonValue, Problem, RawSection
from cvec_circus_plugins.commands._option_words import read_option
from cvec_circus_plugins.fleet.condition import read_condition
from cvec_circus_plugins.fleet.placement import Mode, Service
from cvec_circus_plugins.formats.ini import IniFormat

FENCE = "CIRCUS_FENCE"
"""Variable of processes that run once in the fleet: a number that grows with each claim."""
MARK = "fleet.digest"
"""Free-form option by which a watcher of the fleet is known at its daemon."""

_MODES = {mode.value: mode for mode in Mode}
_LOCAL = "local"
_FLEET, _WHERE, _APART, _MOST = "fleet", "where", "anti_affinity", "max_per_host"
_OWN_KEYS = (_FLEET, _WHERE, _APART, _MOST)
_UNSHELLED = ("shell_args", "args")


@dataclass(frozen=True)
class WantedWatcher:
    """One watcher of the fleet: where it runs, and its options as JSON values."""

    service: Service
    options: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return self.service.name

    @property
    def digest(self) -> str:
        """A short text that differs where the options do."""
        text = json.dumps(self.options, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Wanted:
    """One revision of what is wanted."""

    number: int = 0
    watchers: Mapping[str, WantedWatcher] = field(default_factory=dict)
    text: str = ""
    author: str = ""
    applied_at: float = 0.0
    """Unix seconds."""

    @property
    def services(self) -> list[Service]:
        """What placement needs of it."""
        return [watcher.service for watcher in self.watchers.values()]


def read_wanted(text: str, file: str) -> dict[str, WantedWatcher]:
    """Read a configuration. Raises `BadConfig` with every mistake in it."""
    raw = IniFormat().read(text, file)
    problems = list(raw.problems)
    watchers: dict[str, WantedWatcher] = {}
    for section in raw.sections:
        kind, _, name = section.name.partition(":")
        key = api.name_key(name)
        if kind.strip() != "watcher" or not key:
            problems.append(_problem(section, "", "is no watcher, and only those make a fleet"))
        elif key in watchers:
            problems.append(_problem(section, "", "is there already"))
        elif (watcher := _read_watcher(name.strip(), section, problems)) is not None:
            watchers[key] = watcher
    for section in raw.sections:
        watcher = watchers.get(api.name_key(section.name.partition(":")[2]))
        for other in watcher.service.anti_affinity if watcher else ():
            if other not in watchers:
                sentence = f"names {other}, which is no watcher of this fleet"
                problems.append(_problem(section, _APART, sentence))
    if not watchers and not problems:
        problems.append(Problem(sentence="has no watcher", file=file))
    if problems:
        raise BadConfig(problems)
    return watchers


def to_json(wanted: Wanted) -> str:
    """Return a revision as the store keeps it: the text, which is read again where it is needed.

    What is read from it may change from version to version; what was written stays.
    """
    return json.dumps(
        {"text": wanted.text, "author": wanted.author, "applied_at": wanted.applied_at}
    )


def from_json(number: int, document: str) -> Wanted:
    """Return a revision of the store. Raises ValueError where it can not be read."""
    try:
        content = json.loads(document)
        if not isinstance(content, dict):
            raise ValueError(f"revision {number} is no object")
        text = str(content["text"])
        return Wanted(
            number=number,
            watchers=read_wanted(text, f"revision {number}"),
            text=text,
            author=str(content.get("author", "")),
            applied_at=float(content.get("applied_at", 0.0)),
        )
    except BadConfig as error:
        raise ValueError(str(error)) from None
    except (KeyError, TypeError) as error:
        raise ValueError(f"revision {number} has no {error}") from None


def leashed(watcher: WantedWatcher, leash: Sequence[str], fence: int) -> dict[str, Any]:
    """Return the options of a watcher whose processes end with the lease of their host."""
    options = dict(watcher.options)
    command = str(options["cmd"])
    if options.pop("shell", False):
        command = shlex.join(["/bin/sh", "-c", command])
    options["cmd"] = f"{shlex.join(leash)} {command}"
    options["env"] = {**options.get("env", {}), FENCE: str(fence)}
    options["numprocesses"] = 1
    # Without it, a reload and a change start the new process before the old one has ended.
    options["singleton"] = True
    return options


def _read_watcher(name: str, section: RawSection, problems: list[Problem]) -> WantedWatcher | None:
    before = len(problems)
    options: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for key, value in section.values.items():
        if key in _OWN_KEYS:
            texts[key] = value.text
            continue
        try:
            _put(options, key, read_option(key, value.text))
        except ValueError as error:
            problems.append(_problem(section, key, str(error).removeprefix(f"{key} ")))
    service = _read_service(name, texts, options, section, problems)
    if service is None or len(problems) > before:
        return None
    if service.mode is Mode.ONE and options.get("shell") and any(map(options.get, _UNSHELLED)):
        sentence = "can not be given beside shell to what runs once in the fleet"
        problems.append(_problem(section, "args", sentence))
    try:
        api.watcher_from_mapping(name, options, strict=True)
    except BadMessage as error:
        problems.append(_problem(section, "", str(error)))
    return WantedWatcher(service, options) if len(problems) == before else None


def _put(options: dict[str, Any], key: str, value: JsonValue) -> None:
    family, dot, member = key.partition(".")
    if dot and family == "env":
        options.setdefault("env", {})[member] = value
    elif key == "env" and isinstance(value, Mapping):
        options["env"] = {**value, **options.get("env", {})}
    else:
        options[key] = value


def _read_service(
    name: str,
    texts: Mapping[str, str],
    options: Mapping[str, Any],
    section: RawSection,
    problems: list[Problem],
) -> Service | None:
    mode = _MODES.get(texts.get(_FLEET, Mode.SPREAD.value).strip().lower())
    if mode is None:
        hint = " (leave local watchers in the file of their host)"
        is_local = texts[_FLEET].strip().lower() == _LOCAL
        problems.append(
            _problem(section, _FLEET, f"isn't all, spread or one{hint if is_local else ''}")
        )
        return None
    count = options.get("numprocesses", 1)
    if mode is Mode.ONE and count != 1:
        problems.append(_problem(section, "numprocesses", "is 1 where fleet = one"))
    most = texts.get(_MOST)
    if most is not None and not re.fullmatch(r"0*[1-9][0-9]{0,8}", most.strip()):
        problems.append(_problem(section, _MOST, "isn't a number from 1 on"))
        most = None
    try:
        where = read_condition(texts.get(_WHERE, ""))
    except ValueError as error:
        problems.append(_problem(section, _WHERE, str(error)))
        return None
    return Service(
        name=name,
        mode=mode,
        count=count if isinstance(count, int) else 1,
        where=where,
        anti_affinity=frozenset(
            api.name_key(word) for word in texts.get(_APART, "").replace(",", " ").split()
        ),
        max_per_host=int(most) if most is not None else None,
    )


def _problem(section: RawSection, key: str, sentence: str) -> Problem:
    value = section.values.get(key)
    return Problem(
        sentence=sentence,
        file=value.file if value else section.file,
        line=value.line if value else section.line,
        section=section.name,
        key=key,
        value=value.text if value else None,
    )
