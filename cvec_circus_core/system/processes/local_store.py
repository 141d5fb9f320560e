"""What a daemon without a keeper leaves for the next one: nothing but its state file.

What it begins with was found by the state file of the one before.
"""

from __future__ import annotations

from collections.abc import Callable

from cvec_circus_core.system.processes.state_file import SpawnRecord
from cvec_circus_core.system.state_store import Inventory, KeptProcess, OnExit, StateStore


class LocalStore(StateStore):
    """Keeps nothing; who is to be spared is noted in the state file."""

    def __init__(
        self, record: SpawnRecord, inventory: Inventory, adopt: Callable[[int, OnExit], None]
    ) -> None:
        super().__init__(inventory)
        self._record = record
        self._adopt = adopt

    def take_over(self, process: KeptProcess, on_exit: OnExit) -> None:
        """Have a process that an earlier daemon has started."""
        self._adopt(process.pid, on_exit)

    def spare(self, pid: int) -> None:
        """Note that a process goes on whatever becomes of us."""
        self._record.spare(pid)
