"""How a process ended, and why it was let go."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class ExitReason(Enum):
    """Why a process is gone, as told in the ``reap`` event."""

    EXITED = "exited"
    """It went by itself: returned, crashed, or was signalled by somebody else."""
    STOPPED = "stopped"
    """We asked it to go and it went in time."""
    KILLED = "killed"
    """We asked it to go, it stayed longer than its grace, and was killed."""
    EXPIRED = "expired"
    """It was replaced because it had reached its max_age."""
    RELOADED = "reloaded"
    """It was replaced by a newer generation."""
    UNREADY = "unready"
    """It went by itself before it was ready, while it was to take the place of another."""
    WATCHDOG = "watchdog"
    """It did not ping its watchdog in time, and was ended for that."""


class Exit(NamedTuple):
    """The end of one process.

    ``code`` is the exit status 0–255, or minus the number of the signal that ended it, or None
    where the status was lost because somebody else collected it. ``left_behind`` tells that
    descendants of the process may still be alive.
    """

    code: int | None
    left_behind: bool = False
