"""Files that grow at their end: logs of processes, opened so that many may append.

Each write goes to the end of the file as it is then, whoever else writes, and no process that is
started later inherits the descriptor. Nobody can lead the opening to another file
(`trusted_paths.py`), and none is ever made that everybody may write.
"""

from __future__ import annotations

import os

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.system.accounts import gid_of, uid_of
from cvec_circus_core.system.processes.descriptors import nofile
from cvec_circus_core.system.trusted_paths import hold

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
_USUAL = 0o664


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
            fd = spot.open(_FLAGS, _USUAL if mode is None else mode, {uid} - {-1})
        try:
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


def write_all(fd: int, data: bytes) -> None:
    """Write every byte, however often the system takes only some. Raises OSError."""
    written = os.write(fd, data)
    if written < len(data):
        rest = memoryview(data)
        while written < len(data):
            written += os.write(fd, rest[written:])
