"""What Linux offers only through prctl(2), asked by ctypes. Elsewhere nothing is available."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> bool:
    """Have orphaned descendants given to us instead of to init; tell whether that is available.

    For the daemon alone: who asks for orphans must reap them (`orphans.py`).
    """
    return _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_death_signal(signum: int) -> bool:
    """Have this process sent a signal when its parent dies; tell whether that is available."""
    return _prctl(_PR_SET_PDEATHSIG, signum)


def _prctl(option: int, argument: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        return int(libc.prctl(option, argument, 0, 0, 0)) == 0
    except (OSError, AttributeError):
        return False
