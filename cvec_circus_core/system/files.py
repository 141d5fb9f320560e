"""Files that grow at their end: logs of processes, opened so that many may append.

Each write goes to the end of the file as it is then, no matter who else writes, and no process that
is started later inherits the descriptor. Nobody can lead the opening to another file
(`trusted_paths.py`), and none is ever made that everybody may write.

What has the name of a file may be a pipe or a device. Opening one never waits: a named pipe without
a reader is opened for reading, too, so that it takes what it has room for, and a reader that comes
later finds it. Writing to one may wait, so that is for threads.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from io import UnsupportedOperation
from typing import TextIO

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.system.accounts import gid_of, uid_of
from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.trusted_paths import Spot, hold

_FLAGS = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_USUAL = 0o664
_POLL_AGAIN = 1000
"""Milliseconds after which a descriptor that has no room is written to all the same."""


def open_append(
    path: str,
    mode: int | None = None,
    user: int | str | None = None,
    group: int | str | None = None,
) -> int:
    """Open a file for appending, made where it is not there, and return its descriptor.

    Mode, user and group are given to the file whether it is new or not; a mode of None leaves that
    to the umask. Raises `SystemProblem` with a sentence that names the file.
    """
    uid = -1 if user is None else uid_of(user)
    gid = -1 if group is None else gid_of(group)
    try:
        with hold(path) as spot:
            fd = _open(spot, _USUAL if mode is None else mode, {uid} - {-1})
        try:
            os.set_blocking(fd, True)
            if mode is not None:
                os.fchmod(fd, mode)
            if uid != -1 or gid != -1:
                os.fchown(fd, uid, gid)
        except BaseException:
            os.close(fd)
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SystemProblem(f"{path} can not be opened: {reason}") from error
    return nofile.move_up(fd)


def _open(spot: Spot, mode: int, owners: set[int]) -> int:
    try:
        return spot.open(_FLAGS | os.O_WRONLY, mode, owners)
    except OSError as error:
        if error.errno != errno.ENXIO or not stat.S_ISFIFO(os.stat(spot.path).st_mode):
            raise
    return spot.open(_FLAGS | os.O_RDWR, mode, owners)


def is_plain(path: str) -> bool:
    """Tell whether a path leads, also through links, to a plain file, or to none yet.

    A link of the kernel's, such as /dev/stdout leads to, is no plain file, whatever it leads to.
    """
    try:
        with hold(path) as spot:
            return not spot.is_magic and stat.S_ISREG(spot.look().st_mode)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however often the system takes only some, or none for a while.

    Somebody else may have set O_NONBLOCK, for it is shared with the processes that have inherited
    the descriptor. Raises OSError, whose ``lost_bytes`` tells how many were not written.
    """
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            _wait_for_room(fd)
        except OSError as error:
            error.lost_bytes = len(rest)  # type: ignore[attr-defined]
            raise


def write_standard(stream: TextIO, data: bytes) -> None:
    """Write bytes to ``sys.stdout`` or ``sys.stderr``, also where that is a text in memory.

    Raises OSError as `write_all` does.
    """
    try:
        fd = stream.fileno()
    except (UnsupportedOperation, AttributeError, ValueError):
        stream.write(data.decode(errors="replace"))
        stream.flush()
        return
    write_all(fd, data)


def _wait_for_room(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll(_POLL_AGAIN)
