"""Every kernel hook once. A package names the class in the entry-point group cvec_circus.kernel."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cvec_circus_core.api import PluginSpec, WatcherSpec, hookimpl

if TYPE_CHECKING:
    from cvec_circus_core.api import ArbiterSpec, StatsSubject, Supervisor

DIARY = Path(os.environ.get("EXAMPLE_DIARY", "/tmp/circus-diary"))


def note(line: str) -> None:
    """Add a line to a file."""
    with DIARY.open("a", encoding="utf-8") as diary:
        print(line, file=diary)


class Example:
    """Implements them all; one of your own needs only those that it is about."""

    @hookimpl
    def circus_environment(self) -> Mapping[str, str]:
        return {"DEPLOYED_BY": "example"}

    @hookimpl
    def circus_plugins(
        self, daemon: ArbiterSpec, plugins: Sequence[PluginSpec], watchers: Sequence[str]
    ) -> Sequence[PluginSpec]:
        # A plugin that every watcher named "web" brings along, unless a section has it already.
        if "web" not in watchers or any(plugin.name == "web-dog" for plugin in plugins):
            return ()
        watcher = WatcherSpec(name="plugin:web-dog", singleton=True)
        options = {"watcher": "web"}
        return [
            PluginSpec(name="web-dog", use="resource_watcher", options=options, watcher=watcher)
        ]

    @hookimpl
    def circus_ready(self, supervisor: Supervisor) -> None:
        names = ", ".join(one.name for one in supervisor.watchers())
        note(f"ready: {names}")

    @hookimpl
    def circus_stopping(self, supervisor: Supervisor) -> None:
        states = ", ".join(f"{one.name} {one.view().status.value}" for one in supervisor.watchers())
        note(f"stopping: {states}")

    @hookimpl
    def circus_extra_stats(
        self, processes: Sequence[StatsSubject]
    ) -> Mapping[int, Mapping[str, int]]:
        found = {}
        for one in processes:
            try:
                state = Path(f"/proc/{one.pid}/oom_score").read_text(encoding="ascii")
            except OSError:
                continue  # It has ended meanwhile.
            found[one.pid] = {"oom_score": int(state)}
        return found
