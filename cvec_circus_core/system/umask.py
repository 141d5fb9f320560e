"""The umask of the process while something is made: one for all threads, so one at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Have files that are made meanwhile get none of these bits.

    Two threads that each took the other's umask for the one to give back would leave it changed.
    """
    with _LOCK:
        before = os.umask(mask)
        try:
            yield
        finally:
            os.umask(before)
