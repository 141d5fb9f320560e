"""What a watcher is to a tool that runs containers or units: words, variables, how many, where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cvec_circus_core.api import ExportSource, WatcherSpec, signal_name, split_words
from cvec_circus_plugins.fleet.condition import equalities, read_condition

LOCAL, SPREAD, ALL, ONE = _MODES = ("local", "spread", "all", "one")
NUMBER = re.compile(r"\$\(circus\.wid\)|\(\(circus\.wid\)\)|\$WID\b", re.IGNORECASE)
"""What stands for the number of the process."""
SOCKET = re.compile(r"\$\(circus\.sockets\.([^()]+)\)", re.IGNORECASE)
_NOT_IN_A_LABEL = re.compile(r"[^a-z0-9-]+")
_LONGEST_LABEL = 63

BASIC = frozenset({"cmd", "args", "shell", "shell_args", "executable", "numprocesses", "env"})
"""Options that every tool has in some form."""
FLEET_KEYS = frozenset({"fleet", "where"})


@dataclass(frozen=True)
class Workload:
    """One watcher."""

    spec: WatcherSpec

    @property
    def name(self) -> str:
        """Its name."""
        return self.spec.name

    @property
    def label(self) -> str:
        """Its name in letters, digits and dashes."""
        label = _NOT_IN_A_LABEL.sub("-", self.name.lower())[:_LONGEST_LABEL].strip("-")
        return label or "watcher"

    @cached_property
    def words(self) -> list[str]:
        """The command, as words."""
        spec = self.spec
        if spec.shell:
            return ["/bin/sh", "-c", spec.cmd, *spec.shell_args]
        words = [*split_words(spec.cmd), *spec.args]
        return [spec.executable, *words[1:]] if spec.executable else words

    @property
    def fleet(self) -> str:
        """How it runs in a fleet."""
        return str(self.spec.extra.get("fleet", LOCAL)).strip().lower()

    @property
    def count(self) -> int:
        """How many processes."""
        return 1 if self.spec.singleton or self.fleet == ONE else self.spec.numprocesses

    @property
    def stop_signal(self) -> str:
        """The name of the signal that stops it."""
        return signal_name(self.spec.stop_signal)

    @property
    def has_number(self) -> bool:
        """Whether its processes are told their number."""
        return any(NUMBER.search(text) for text in (*self.words, *self.spec.env.values()))

    @cached_property
    def labels(self) -> Mapping[str, str] | None:
        """The labels that its hosts must have; None where more is asked than equality."""
        condition = read_condition(str(self.spec.extra.get("where", "")))
        return equalities(condition)

    def carried(self, *options: str) -> frozenset[str]:
        """Return the names of options that were carried over."""
        own = FLEET_KEYS if self.labels is not None else FLEET_KEYS - {"where"}
        return BASIC | own | frozenset(options)


def workloads_of(source: ExportSource) -> list[Workload]:
    """Return what is to be written. Raises ValueError for what no fleet could run either."""
    workloads = [Workload(spec) for spec in source.watchers]
    for workload in workloads:
        where = f"{source.file}: watcher {workload.name}"
        if workload.fleet not in _MODES:
            raise ValueError(f"{where}: fleet isn't one of {', '.join(_MODES)}")
        try:
            _ = workload.labels
        except ValueError as error:
            raise ValueError(f"{where}: where {error}") from None
    return workloads


def unique_labels(workloads: list[Workload]) -> dict[str, str]:
    """Return a label for each name, none twice."""
    labels: dict[str, str] = {}
    for workload in workloads:
        label, number = workload.label, 2
        while label in labels.values():
            label, number = f"{workload.label[: _LONGEST_LABEL - 4]}-{number}", number + 1
        labels[workload.name] = label
    return labels
