"""The daemon's own standard output and error as the sink of what its processes write there."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Any

from cvec_circus_core.extend.sink import NO_LOG, WriteLog
from cvec_circus_core.system.files import write_all


class PassOn:
    """A sink: a standard descriptor of the daemon, which gets every byte as it came."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.in_loop = _never_waits(fd)

        self._is_file = self.in_loop and stat.S_ISREG(os.fstat(fd).st_mode)
        self._log: WriteLog = NO_LOG

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Write one piece. Raises OSError."""
        if self._is_file:
            self._log.begin(data["data"])
        self.finish(data["data"])

    def use_journal(self, log: WriteLog) -> None:
        """Note what is about to be written."""
        self._log = log

    def finish(self, text: bytes) -> None:
        """Write what was noted, or is. Raises OSError."""
        self._log.appending(f"/proc/self/fd/{self._fd}", self._fd, len(text))
        write_all(self._fd, text)
        self._log.appended(len(text))


def _never_waits(fd: int) -> bool:
    """Tell whether a descriptor leads to a plain file, or to nowhere."""
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) or _is_null(status)


def _is_null(status: os.stat_result) -> bool:
    try:
        return os.path.samestat(status, os.stat(os.devnull))
    except OSError:
        return False
