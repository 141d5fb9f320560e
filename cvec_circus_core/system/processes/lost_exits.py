"""How a process has ended whose status somebody else collects, or has collected (Linux).

The kernel tells it by its pidfd, once the status was collected (Linux 6.15 and newer). Until then
it stands in /proc, for who may look at the process. Otherwise nobody knows.
"""

from __future__ import annotations

import fcntl
import os
import struct

from cvec_circus_core.system.proc import read_stat, user_of

_INFO = struct.Struct("=QQ11Ii")
"""struct pidfd_info: what is known, the control group, eleven numbers, the wait status."""
_GET_INFO = 3 << 30 | _INFO.size << 16 | 0xFF << 8 | 11
_EXIT = 1 << 3
_STATUS = 49
"""The word of the wait status in /proc/PID/stat, behind the name."""


def exit_of_stranger(pid: int, pidfd: int) -> int | None:
    """Return how a process has ended that is no child of ours; None where nobody knows."""
    status = _from_pidfd(pidfd)
    if status is None:
        status = _from_table(pid)
        # It may have been collected between the two questions.
        status = _from_pidfd(pidfd) if status is None else status
    return None if status is None else os.waitstatus_to_exitcode(status)


def _from_pidfd(pidfd: int) -> int | None:
    info = bytearray(_INFO.pack(_EXIT, *[0] * 13))
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError:
        return None
    mask, *_, status = _INFO.unpack(info)
    return int(status) if mask & _EXIT else None


def _from_table(pid: int) -> int | None:
    if os.geteuid() not in (0, user_of(pid)):
        return None  # The word is 0 for who may not read it.
    stat = read_stat(pid)
    if stat is None or stat.state != b"Z" or len(stat.words) <= _STATUS:
        return None
    return int(stat.words[_STATUS])
