"""What an exporter is: it writes watchers of ours as the configuration of another tool.

It is found by entry point, group ``cvec_circus.exporters``. It says what it has carried over; what
was configured besides is listed by circusctl, for all exporters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cvec_circus_core.model.socket_specs import SocketSpec
from cvec_circus_core.model.specs import WatcherSpec

EXPORTERS = "cvec_circus.exporters"


@dataclass(frozen=True, slots=True)
class ExportSource:
    """What is to be written."""

    file: str
    watchers: Sequence[WatcherSpec]
    sockets: Sequence[SocketSpec] = ()


@dataclass(slots=True)
class Exported:
    """What was written: texts by the names of their files, and what could not be carried over."""

    files: dict[str, str] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    carried: dict[str, frozenset[str]] = field(default_factory=dict)
    """The names of the options that each watcher has there, too, by watcher."""

    def lose(self, watcher: str, sentence: str) -> None:
        """Remember what could not be carried over."""
        self.losses.append(f"watcher {watcher}: {sentence}")


class Exporter(Protocol):
    """Writes the files of one tool."""

    name: str
    """What stands on the command line."""
    summary: str
    """What the files are called, for people."""
    hints: Mapping[str, str]
    """What there is instead of options, by name, for those who read what was lost."""

    def write(self, source: ExportSource) -> Exported:
        """Write watchers."""
