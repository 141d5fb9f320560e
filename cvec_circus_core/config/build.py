"""From raw sections to specs, or to all that stands against it.

Everything is read to the end: a mistake in one section never hides one in another. A watcher with a
mistake is left out of the result, and its problem says so to anyone who decides what that means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from cvec_circus_core.config.checks import (
    arbiter_doubts,
    arbiter_faults,
    socket_faults,
    watcher_doubts,
    watcher_faults,
)
from cvec_circus_core.config.draft import Draft
from cvec_circus_core.config.expansion import Environments, look_at_env_sections
from cvec_circus_core.config.findings import Findings
from cvec_circus_core.config.outside_faults import NO_CHECKS, OutsideChecks
from cvec_circus_core.config.plugin_sections import plugin_spec
from cvec_circus_core.config.raw import Problem, RawConfig, RawSection
from cvec_circus_core.config.section_reader import doubt_free, given_options, plain_values
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.names import name_key
from cvec_circus_core.model.option_reader import Free, nearest
from cvec_circus_core.model.socket_specs import PluginSpec, SocketSpec
from cvec_circus_core.model.socket_use import CONSOLE_SOCKET
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.model.values import Struct, field_names

STATS_ENDPOINT = "tcp://127.0.0.1:5557"

_MEANING_MORE = ",*?["
"""In the name of a watcher, what lists and patterns are made of."""

Spec = TypeVar("Spec")

_SINGLE = ("circus", "env")
_NAMED = ("watcher", "socket", "plugin", "env")
_FORMS = "circus, env, env:LIST, watcher:NAME, socket:NAME or plugin:NAME"

_OLD_SECTIONS = {"program": "watcher", "supervisord": "circus", "eventlistener": "plugin"}


class FilePart(Struct, frozen=True):
    """One file of a configuration."""

    file: str
    watchers: frozenset[str]
    """The names of those that have a section there."""
    is_whole: bool
    """Whether it has a text whose last line has an end, as it has not in the middle of a save."""


class Loaded(Struct, frozen=True, kw_only=True):
    """A configuration that was read: what is good of it, and what is not."""

    arbiter: ArbiterSpec
    watchers: tuple[WatcherSpec, ...] = ()
    sockets: tuple[SocketSpec, ...] = ()
    plugins: tuple[PluginSpec, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    left_out: tuple[Problem, ...] = ()
    """Why watchers and sockets are missing, where bad ones may be left out."""
    parts: tuple[FilePart, ...] = ()
    """The files that were read, the main one first."""


def build(raw: RawConfig, environ: Mapping[str, str], outside: OutsideChecks = NO_CHECKS) -> Loaded:
    """Turn merged sections into specs, sorted by name."""
    findings = Findings(list(raw.problems), list(raw.warnings))
    environments = Environments(raw.sections, environ)
    _doubt_sections(raw.sections, findings)
    look_at_env_sections(raw.sections, findings)
    environments.refuse_too_long(findings)
    variables = environments.seen(environments.common)
    arbiter = _arbiter(raw.section("circus"), variables, findings)
    sockets = {
        section.name: _socket(name, section, variables, findings)
        for name, section in _named("socket", raw.sections, findings)
    }
    _refuse_taken(raw.sections, findings)
    socket_names = {socket.name for socket in sockets.values()}
    socket_names |= {CONSOLE_SOCKET} if arbiter.httpd else set()
    watchers = {
        section.name: _watcher(name, section, environments, socket_names, findings)
        for name, section in _named("watcher", raw.sections, findings)
    }
    plugins = {
        section.name: plugin_spec(name, section, environments, socket_names, findings)
        for name, section in _named("plugin", raw.sections, findings)
    }
    specs = {"circus": arbiter, **sockets, **watchers, **plugins}
    for section in raw.sections:
        if spec := specs.get(section.name):
            outside.look(section, spec, arbiter, findings)
    return Loaded(
        arbiter=arbiter,
        watchers=_good(watchers, findings),
        sockets=_good(sockets, findings),
        plugins=_good(plugins, findings),
        problems=_in_order(findings.problems, raw.sections),
        warnings=_in_order(findings.warnings, raw.sections),
    )


def _good(specs: Mapping[str, Spec | None], findings: Findings) -> tuple[Spec, ...]:
    return tuple(spec for name, spec in specs.items() if spec and not findings.is_bad(name))


def with_stats(values: Mapping[str, Any]) -> dict[str, Any]:
    """Apply the rule of statistics: an endpoint turns them on, and on they have an endpoint."""
    settled = dict(values)
    if settled.get("stats_endpoint") is not None:
        settled.setdefault("statsd", True)
    elif settled.get("statsd"):
        settled["stats_endpoint"] = STATS_ENDPOINT
    return settled


def _arbiter(section: RawSection, seen: Mapping[str, str], findings: Findings) -> ArbiterSpec:
    values = with_stats(plain_values(ArbiterSpec, section, seen, findings))
    spec = ArbiterSpec(**values)
    for refused in arbiter_faults({name: getattr(spec, name) for name in field_names(spec)}):
        findings.refuse(section, refused)
    for doubtful in arbiter_doubts(spec):
        findings.doubt(section, doubtful)
    return spec


def _socket(
    name: str, section: RawSection, seen: Mapping[str, str], findings: Findings
) -> SocketSpec:
    values = plain_values(SocketSpec, section, seen, findings)
    if not findings.is_bad(section.name):
        for refused in socket_faults(values):
            findings.refuse(section, refused)
    return SocketSpec(name=name.lower(), **values)


def _watcher(
    name: str,
    section: RawSection,
    environments: Environments,
    sockets: Collection[str],
    findings: Findings,
) -> WatcherSpec | None:
    """Return the spec of a watcher; where its section has mistakes, of what is good of it."""
    env = environments.of(name)
    draft = Draft(WatcherSpec(name=name))
    for entry in given_options(WatcherSpec, section, environments.seen(env), findings):
        draft.put(entry.place, entry.value)
        if isinstance(entry.place, Free):
            doubt_free(WatcherSpec, section, entry, findings)
    draft.set("env", {**env, **draft["env"]})
    if hard := sorted(
        {repr(letter) for letter in name if letter.isspace() or letter in _MEANING_MORE}
    ):
        findings.doubt(
            section, Fault("", f"has a name that commands take for more: {', '.join(hard)}")
        )
    unread = findings.bad_keys(section.name)
    for refused in watcher_faults(draft, sockets):
        if refused.key not in unread:
            findings.refuse(section, refused)
    for refused in watcher_doubts(draft):
        findings.doubt(section, refused)
    for key in ("cmd", "command"):
        if draft["shell"] and key in section.values and section.values[key].is_cut:
            sentence = "ends where a comment begins: white space and ; cut off the rest of the line"
            findings.doubt(section, Fault(key, sentence))
    try:
        return draft.spec()
    except ValueError:
        if not findings.is_bad(section.name):
            raise
        return None


def _named(
    kind: str, sections: Iterable[RawSection], findings: Findings
) -> Iterator[tuple[str, RawSection]]:
    """Yield the sections ``[kind:NAME]`` by name, without empty and repeated ones."""
    by_key: dict[str, RawSection] = {}
    for section in sections:
        prefix, _, name = section.name.partition(":")
        if prefix.strip() != kind:
            continue
        key = name_key(name)
        if not key:
            findings.refuse(section, Fault("", "has no name", f"{kind}:NAME"))
        elif not section.values:
            if not findings.is_bad(section.name):
                findings.doubt(section, Fault("", "is empty and left out"))
        elif key in by_key:
            sentence = f"is the same name as [{by_key[key].name}], because case does not count"
            findings.refuse(section, Fault("", sentence))
        else:
            by_key[key] = section
    for section in sorted(by_key.values(), key=lambda one: name_key(one.name)):
        yield section.name.partition(":")[2].strip(), section


def _doubt_sections(sections: Iterable[RawSection], findings: Findings) -> None:
    for section in sections:
        head, colon, _ = section.name.partition(":")
        if section.name in _SINGLE or (colon and head.strip() in _NAMED):
            continue
        meant = _OLD_SECTIONS.get(head.lower()) or nearest(head, (*_SINGLE, *_NAMED))
        hint = f"; did you mean {meant}{':NAME' * (meant in _NAMED[:3])}?" if meant else ""
        findings.doubt(section, Fault("", f"is no known section{hint}", _FORMS))


def _refuse_taken(sections: Iterable[RawSection], findings: Findings) -> None:
    plugins = {
        name_key(section.name): section.name
        for section in sections
        if section.name.startswith("plugin:")
    }
    for section in sections:
        kind, _, name = section.name.partition(":")
        if kind == "watcher" and name_key(name) in plugins:
            sentence = f"has the name of the watcher that keeps [{plugins[name_key(name)]}]"
            findings.refuse(section, Fault("", sentence))


def _in_order(found: Iterable[Problem], sections: Iterable[RawSection]) -> tuple[Problem, ...]:
    files: dict[str, int] = {}
    for section in sections:
        for file in (section.file, *(raw.file for raw in section.values.values())):
            files.setdefault(file, len(files))
    return tuple(sorted(found, key=lambda one: (files.get(one.file, -1), one.line)))
