"""A stats contributor: how many files each process has open.

A kernel hook: the daemon asks for all processes at once, in a thread, when somebody wants numbers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cvec_circus_core.api import hookimpl

if TYPE_CHECKING:
    from cvec_circus_core.api import StatsSubject


def open_files(pid: int) -> int | None:
    """Return how many files a process has open; None where it is gone, or not ours to look at."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None


class OpenFileNumbers:
    """Adds ``open_files`` to what ``stats`` tells."""

    @hookimpl
    def circus_extra_stats(
        self, processes: Sequence[StatsSubject]
    ) -> Mapping[int, Mapping[str, int]]:
        """Return the number by pid."""
        found = {one.pid: open_files(one.pid) for one in processes}
        return {pid: {"open_files": count} for pid, count in found.items() if count is not None}
