"""``[plugin:NAME]``: what the plugin's class gets, and the watcher that keeps its process.

A key that is a watcher's option is applied to that watcher, and still told to the class: the older
files do not say which of the two was meant.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from cvec_circus_core.config.checks import watcher_faults
from cvec_circus_core.config.draft import Draft
from cvec_circus_core.config.expansion import Environments
from cvec_circus_core.config.findings import Findings
from cvec_circus_core.config.raw import Problem, RawConfig, RawSection, RawValue
from cvec_circus_core.config.section_reader import Given, given_options
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.option_reader import Free, Member, Plain, locate, parse
from cvec_circus_core.model.socket_specs import PLUGIN_STOP_GRACE, PluginSpec
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import replace

OF_THE_HOST = ("use", "isolate")
"""What the class is not told."""

OWN_SECTIONS = ("fleet",)
"""Plugins with a section of their name: ``[NAME]`` is ``[plugin:NAME]`` with ``use = NAME``."""


def spelled_out(raw: RawConfig) -> RawConfig:
    """Return a configuration in which every plugin has a section ``[plugin:NAME]``."""
    names = {section.name for section in raw.sections}
    sections, problems = [], list(raw.problems)
    for section in raw.sections:
        plugin = f"plugin:{section.name}"
        if section.name not in OWN_SECTIONS:
            sections.append(section)
        elif plugin in names:
            sentence = f"is the same as [{plugin}], which is there, too"
            problems.append(
                Problem(
                    sentence=sentence,
                    file=section.file,
                    line=section.line,
                    section=section.name,
                )
            )
        else:
            use = RawValue(section.name, section.file, section.line)
            values = {**section.values, "use": use}
            sections.append(RawSection(plugin, section.file, section.line, values))
    return replace(raw, sections=tuple(sections), problems=tuple(problems))


def as_written(raw: RawConfig, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return what was found with the names that sections have in their files."""
    written = {
        f"plugin:{section.name}": section.name
        for section in raw.sections
        if section.name in OWN_SECTIONS
    }
    return tuple(
        replace(problem, section=written[problem.section])
        if problem.section in written
        else problem
        for problem in problems
    )


def plugin_spec(
    name: str,
    section: RawSection,
    environments: Environments,
    sockets: Collection[str],
    findings: Findings,
) -> PluginSpec | None:
    """Read one section; None where something is wrong with it."""
    env = environments.of(f"plugin:{name}")
    draft = Draft(plugin_watcher(name))
    own: dict[str, Any] = {}
    options: dict[str, str] = {}
    for entry in given_options(PluginSpec, section, environments.seen(env), findings):
        if isinstance(entry.place, Plain):
            own[entry.place.option.name] = entry.value
        else:
            _put(entry, draft, section, findings)
        if entry.key not in OF_THE_HOST and not isinstance(locate(WatcherSpec, entry.key), Member):
            options[entry.key] = entry.text
    draft.set("env", {**env, **draft["env"]})
    if not own.get("use"):
        findings.refuse(section, Fault("use", "is missing", "the name of a plugin's class"))
    finish_plugin_watcher(draft)
    for refused in watcher_faults(draft, sockets, needs_cmd=False):
        findings.refuse(section, refused)
    if findings.is_bad(section.name):
        return None
    return PluginSpec(name=name, **own, options=options, watcher=draft.spec())


def plugin_watcher(name: str) -> WatcherSpec:
    """Return the watcher of a plugin, before its own options."""
    return WatcherSpec(
        name=f"plugin:{name}",
        priority=1,
        singleton=True,
        copy_env=True,
        copy_path=True,
        graceful_timeout=PLUGIN_STOP_GRACE,
    )


def finish_plugin_watcher(draft: Draft) -> None:
    """Let what was given win over what a plugin's watcher is by itself."""
    if "singleton" not in draft.given and draft["numprocesses"] > 1:
        draft.set("singleton", False)


def _put(given: Given, draft: Draft, section: RawSection, findings: Findings) -> None:
    place = locate(WatcherSpec, given.key)
    if isinstance(place, Free):
        return
    try:
        draft.put(place, parse(place, given.text))
    except Fault as refused:
        findings.refuse(section, refused, given.key, given.text)
