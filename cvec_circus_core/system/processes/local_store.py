"""What a daemon without a keeper leaves for the next one: nothing but its state file."""

from __future__ import annotations

from cvec_circus_core.system.processes.state_file import SpawnRecord
from cvec_circus_core.system.state_store import NoStateStore


class LocalStore(NoStateStore):
    """Keeps nothing; who is to be spared is noted in the state file."""

    def __init__(self, record: SpawnRecord) -> None:
        super().__init__()
        self._record = record

    def spare(self, pid: int) -> None:
        """Note that a process goes on whatever becomes of us."""
        self._record.spare(pid)
