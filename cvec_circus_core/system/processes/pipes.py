"""Pipes that carry what processes write.

The reading end lives as long as a process and its output, so it goes above the low descriptor
numbers (`descriptors.py`) and never blocks. The kernel gives every pipe 64 KB. A process that keeps
it full gets a larger one, which halves the switches between writer and reader; but all pipes of a
user share one allowance, and once that is used up new pipes shrink to two pages. So only few pipes
may be large at a time.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.system.accounts import uid_of
from cvec_circus_core.system.processes.descriptors import nofile

LARGE = 1 << 20
LARGE_AT_ONCE = 16

_SET_SIZE = getattr(fcntl, "F_SETPIPE_SZ", None)


class Pipes:
    """Makes pipes, and knows which are large."""

    def __init__(self) -> None:
        self._large: set[int] = set()
        self.count = 0
        """Pipes that are open now."""

    def open(self, *, blocks: bool = False, owner: int | str | None = None) -> tuple[int, int]:
        """Return a reading end, which never blocks unless asked to, and a writing end.

        It belongs to ``owner``, so that a process of that account can open it again by a name such
        as /dev/stdout. Raises OSError.
        """
        reading, writing = os.pipe()
        if owner is not None:
            # An account that is not known is a problem of the spawn, which tells of it.
            with suppress(OSError, CircusError):
                os.fchown(writing, uid_of(owner), -1)
        if not blocks:
            os.set_blocking(reading, False)
        self.count += 1
        return nofile.move_up(reading), writing

    def adopt(self, reading: int, *, blocks: bool = False) -> int:
        """Take in a reading end that was handed to us; return its number from now on."""
        os.set_blocking(reading, blocks)
        self.count += 1
        return nofile.move_up(reading)

    def enlarge(self, reading: int) -> None:
        """Let a pipe hold more, where the machine and our share allow it."""
        if _SET_SIZE is None or len(self._large) >= LARGE_AT_ONCE:
            return
        try:
            fcntl.fcntl(reading, _SET_SIZE, LARGE)
        except OSError:
            return
        self._large.add(reading)

    def close(self, reading: int) -> None:
        """Close a reading end."""
        self._large.discard(reading)
        self.count -= 1
        os.close(reading)


pipes = Pipes()
"""The allowance belongs to the process, so there is one of these."""
