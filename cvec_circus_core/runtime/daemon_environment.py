"""What the daemon gives to its processes: its own environment, and the managed sockets."""

from __future__ import annotations

import os
import sys

from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.launch import SpawnEnvironment
from cvec_circus_core.runtime.managed_sockets import ManagedSockets
from cvec_circus_core.system.virtualenvs import site_packages
from cvec_circus_core.system.working_dir import entered_through


class DaemonEnvironment:
    """The environment as it was at the start, with the sockets that there are now."""

    def __init__(self, hooks: Hooks, sockets: ManagedSockets) -> None:
        environ = dict(os.environ)
        for extra in hooks.gather("circus_environment"):
            environ.update(extra)
        self._sockets = sockets
        self._present = SpawnEnvironment(
            environ=environ,
            import_path=tuple(path for path in sys.path if path),
            working_dir=entered_through(os.environ),
            site_packages=site_packages,
            python=f"python{sys.version_info.major}.{sys.version_info.minor}",
        )

    def present(self) -> SpawnEnvironment:
        """Return what processes get; another object whenever the sockets have changed."""
        if self._present.sockets is not self._sockets.names:
            self._present = replace(self._present, sockets=self._sockets.names)
        return self._present
