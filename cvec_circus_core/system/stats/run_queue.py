"""How busy the processors are at this moment."""

from __future__ import annotations

import os


class Load:
    """Looks at the kernel's count; where there is none, nothing ever seems busy."""

    def __init__(self, path: str = "/proc/loadavg") -> None:
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = -1

    def runnable(self) -> int:
        """Return how many tasks of the whole machine have or want a processor, this one too."""
        if self._fd < 0:
            return 0
        try:
            return int(os.pread(self._fd, 128, 0).split()[3].partition(b"/")[0])
        except (OSError, IndexError, ValueError):
            return 0

    def close(self) -> None:
        """Look no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
