"""The process around the daemon: who waits for it, and what it tells of itself."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping

from cvec_circus_core import __version__
from cvec_circus_core.config.build import Loaded
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.runtime.daemon_host import DaemonHost
from cvec_circus_core.system.clock import unix_time
from cvec_circus_core.system.daemonize import NOBODY_WAITS, WaitingCaller
from cvec_circus_core.system.processes.local_owner import MakeOwner
from cvec_circus_core.system.service_manager import ServiceManager


class Place(DaemonHost):
    """The process around the daemon: its own."""

    is_kept = False
    """Whether a keeper has the children, and will have them after us."""
    is_first = True
    """Whether there was no daemon in this place before us, whose processes we have."""

    def __init__(self, owner: MakeOwner, caller: WaitingCaller = NOBODY_WAITS) -> None:
        self.owner = owner
        self._caller = caller
        self._manager = ServiceManager.from_environment()
        self._since = unix_time()

    def ready(self) -> None:
        """Tell everybody who waits."""
        self._caller.ready()
        self._manager.ready()
        self._manager.watched(asyncio.get_running_loop(), self._manager.going_on)

    def failed(self, message: str) -> None:
        """Tell who waits in the foreground."""
        self._caller.failed(message)

    def stopping(self) -> None:
        """Tell the service manager."""
        self._manager.stopping()

    def facts(self) -> Mapping[str, object]:
        """Return what the daemon is and runs."""
        python = sys.executable
        return {"pid": os.getpid(), "version": __version__, "python": python, "since": self._since}

    def in_force(self, loaded: Loaded, options: ArbiterSpec) -> None:
        """Be told which configuration is in force, with the daemon's present options."""
