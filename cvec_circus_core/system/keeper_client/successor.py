"""The keeper is gone: the brain starts another, which takes over all that it had, and ends.

So there is one way to begin with what another daemon has left: a new brain takes the inventory of a
new keeper. Processes go on meanwhile, since the brain has duplicates of all descriptors. They are
children of process 1 by now, or of another process that takes in orphans: their ends are heard by
pidfds, which are opened here, at once, so that nobody ends unseen while the keeper begins.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.system.keeper_client.handover import KeptSocket, pack
from cvec_circus_core.system.keeper_client.ledger import Holdings
from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.processes.exit_watch import has_pidfds

PROGRAM = ("-P", "-m", "cvec_circus_core.keeper")
"""The keeper's program. -P: what lies in the working directory comes last, not first."""
SHARES = "shares"
"""The fact of a keeper that gives the brain duplicates of what it has."""


class KeeperCopy:
    """What the keeper has, as far as another one needs it; kept by the brain."""

    def __init__(self) -> None:
        self.holdings = Holdings()
        self._sockets: dict[str, KeptSocket] = {}
        self._order: dict[str, object] = {}
        self._files: dict[str, int] = {}

    @property
    def is_whole(self) -> bool:
        """Whether another keeper could begin with it."""
        return bool(self._order)

    def add_socket(
        self, plan: Mapping[str, object], opened: Mapping[str, object], descriptor: int
    ) -> None:
        """Have a duplicate of a kept socket."""
        kept = OpenSocket(**{**opened, "number": descriptor})  # type: ignore[arg-type]
        self.drop_socket(kept.name)
        self._sockets[kept.name] = (BindPlan(**plan), kept)  # type: ignore[arg-type]

    def drop_socket(self, name: str) -> None:
        """Close our duplicate of a socket."""
        if name in self._sockets:
            os.close(self._sockets.pop(name)[1].number)

    def drop_sockets(self) -> None:
        """Close our duplicates of all sockets."""
        for name in tuple(self._sockets):
            self.drop_socket(name)

    def take_order(self, order: dict[str, object], files: Mapping[str, int]) -> None:
        """Have what the keeper was started with, and the files that it has locked."""
        for descriptor in self._files.values():
            os.close(descriptor)
        self._order, self._files = order, dict(files)

    def start_keeper(self, facts: Mapping[str, object]) -> int:
        """Start another keeper with all of it; return its pid. Raises OSError, `SystemProblem`."""
        if not self.is_whole or not has_pidfds():
            raise SystemProblem("this keeper, or this kernel, does not allow it")
        pidfds: dict[int, int] = {}
        for entry in self.holdings.ledger:
            if entry.end is None:
                with suppress(OSError):
                    pidfds[entry.pid] = os.pidfd_open(entry.pid)
        of_keeper = {**facts, "pidfds": pidfds, "brain": os.getpid()}
        handover = pack(self.holdings, self._sockets.values(), of_keeper)
        for descriptor in (*pidfds.values(), *self._files.values()):
            os.set_inheritable(descriptor, True)
        order = json.dumps({**self._order, **self._files, "handover_fd": handover})
        words = [sys.executable, *PROGRAM, order]
        with nofile.original_in_force():
            return os.posix_spawn(
                sys.executable, words, dict(os.environ), setsid=True, setsigmask=()
            )
