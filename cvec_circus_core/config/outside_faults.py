"""What others find wrong with specs that are whole: kinds of streams, plugins, and the machine.

Each of them is asked for every section that has something of theirs.
"""

from __future__ import annotations

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
from cvec_circus_core.model.values import Struct

HIDDEN = "…"
"""What is shown of a secret."""


def _find_nothing(*_: object) -> tuple[()]:
    return ()


class OutsideChecks(Struct, frozen=True):
    """How each of them finds faults; those that are not given are not looked for."""

    streams: FindStreamFaults = _find_nothing
    plugins: FindPluginFaults = _find_nothing
    around: FindFaultsAround = _find_nothing

    def look(
        self,
        section: RawSection,
        spec: Spec | PluginSpec,
        arbiter: ArbiterSpec,
        findings: Findings,
    ) -> None:
        """Add the faults of what a section has become."""
        own = spec.watcher if isinstance(spec, PluginSpec) else spec
        if isinstance(own, WatcherSpec):
            for fault in stream_faults(own, self.streams):
                _add(fault, fault.key, section, findings)
        if isinstance(spec, PluginSpec):
            for fault in self.plugins(spec):
                _add(fault, fault.key, section, findings)
        for fault in self.around(arbiter, own):
            if fault.key not in findings.bad_keys(section.name):
                keys = (key for key in section.values if canonical_key(type(own), key) == fault.key)
                _add(fault, next(keys, fault.key), section, findings)


NO_CHECKS = OutsideChecks()


def _add(fault: Fault, key: str, section: RawSection, findings: Findings) -> None:
    add = findings.doubt if fault.is_doubt else findings.refuse
    text = HIDDEN if fault.is_secret else None
    add(section, Fault(key, fault.sentence, fault.allowed), key, text)
