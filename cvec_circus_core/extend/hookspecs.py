"""Kernel hooks: where a plugin package may add to the daemon, collected by pluggy.

A package names an object with `hookimpl` methods in the entry-point group ``cvec_circus.kernel``:

    from cvec_circus_core.api import hookimpl

    class Extras:
        @hookimpl
        def circus_environment(self) -> dict[str, str]:
            return {"DEPLOYED_BY": "example"}

Hooks gather, mostly once. What happens at run time travels as events on the bus instead, where one
bad listener cannot hurt another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

from cvec_circus_core.extend.ports import Supervisor
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.views import StatsSubject

PROJECT = "cvec_circus"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class KernelHooks:
    """What a kernel plugin may implement."""

    @hookspec
    def circus_environment(self) -> Mapping[str, str] | None:
        """Return variables for the environment of every process; asked once at start.

        They count as part of the daemon's environment: a watcher with ``copy_env = False`` does
        not get them, and its ``env`` wins over them.
        """

    @hookspec
    def circus_plugins(
        self, daemon: ArbiterSpec, plugins: Sequence[PluginSpec], watchers: Sequence[str]
    ) -> Sequence[PluginSpec] | None:
        """Return plugins to run beside ``plugins``, those of the configuration.

        One that has the name of a configured one takes its place. ``watchers`` are the names of
        all configured watchers. Asked at the start, and whenever the configuration is read again: a
        plugin whose order has changed then, or that is not returned any more, is replaced or ended.
        """

    @hookspec
    def circus_ready(self, supervisor: Supervisor) -> None:
        """Be told, once, that the endpoints are bound and the watchers are being started."""

    @hookspec
    def circus_stopping(self, supervisor: Supervisor) -> None:
        """Be told, once, that every process is gone and the daemon is about to end."""

    @hookspec
    def circus_extra_stats(
        self, processes: Sequence[StatsSubject]
    ) -> Mapping[int, Mapping[str, Any]] | None:
        """Return more numbers about processes: by pid, numbers or short texts by name.

        Each of ``processes`` has a ``watcher`` (its name), a ``wid`` and a ``pid``. Those of whom
        nothing is known are left out. What is returned shows as ``extra`` in the information about
        a process: in the daemon's command ``stats``, and in the stream of statistics, where it is
        asked once a sample for all processes. Called in a thread that may wait for files and
        servers, but only some moments.
        """
