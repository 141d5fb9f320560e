"""What others find wrong with specs that are whole: kinds of streams, plugins, and the machine.

Each of them is asked for every section that has something of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus_core.config.checks import (
    FindFaultsAround,
    FindPluginFaults,
    FindStreamFaults,
    Spec,
    stream_faults,
)
from cvec_circus_core.config.findings import Findings
from cvec_circus_core.config.raw import RawSection
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.option_reader import canonical_key
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec

HIDDEN = "…"
"""What is shown of a secret."""


def take_any_stream(_: Mapping[str, Any]) -> tuple[()]:
    """Find nothing wrong with any stream."""
    return ()


def take_any_plugin(_: PluginSpec) -> tuple[()]:
    """Find nothing wrong with any plugin."""
    return ()


def take_anything(_: ArbiterSpec, __: Spec) -> tuple[()]:
    """Look at nothing around."""
    return ()


def refuse_streams(
    sections: Iterable[RawSection],
    specs: Mapping[str, WatcherSpec],
    find: FindStreamFaults,
    findings: Findings,
) -> list[WatcherSpec]:
    """Add the faults of all streams, and return the specs that have any."""
    faulty = []
    for section in sections:
        kind, _, name = section.name.partition(":")
        spec = specs.get(f"{kind.strip()}:{name.strip()}")
        for refused in stream_faults(spec, find) if spec else ():
            _add(refused, refused.key, section, findings)
            faulty += [] if refused.is_doubt else [spec]
    return [spec for spec in faulty if spec]


def refuse_plugins(
    sections: Iterable[RawSection],
    plugins: Iterable[PluginSpec],
    find: FindPluginFaults,
    findings: Findings,
) -> None:
    """Add the faults of all plugins."""
    for section in sections:
        kind, _, name = section.name.partition(":")
        for plugin in plugins if kind.strip() == "plugin" else ():
            if plugin.name != name.strip():
                continue
            for fault in find(plugin):
                _add(fault, fault.key, section, findings)


def look_around(
    sections: Iterable[RawSection],
    specs: Mapping[str, Spec],
    arbiter: ArbiterSpec,
    find: FindFaultsAround,
    findings: Findings,
) -> None:
    """Add what of all that is named the machine does not have."""
    for section in sections:
        kind, colon, name = section.name.partition(":")
        spec = specs.get(f"{kind.strip()}{colon}{name.strip()}")
        for fault in find(arbiter, spec) if spec else ():
            if fault.key in findings.bad_keys(section.name):
                continue
            written = (key for key in section.values if canonical_key(type(spec), key) == fault.key)
            _add(fault, next(written, fault.key), section, findings)


def _add(fault: Fault, key: str, section: RawSection, findings: Findings) -> None:
    add = findings.doubt if fault.is_doubt else findings.refuse
    text = HIDDEN if fault.is_secret else None
    add(section, Fault(key, fault.sentence, fault.allowed), key, text)
