"""A file that output is appended to, and what happens when it is moved away.

What has its name may be something else than a plain file: a pipe, a device, what /dev/stdout leads
to. Such a one is written to, in a thread because it may make us wait, and never renamed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from tempfile import mkstemp

from cvec_circus_core import api

_LINE_END = ord("\n")


@dataclass(frozen=True, slots=True)
class Place:
    """Which file, and to whom it belongs."""

    path: str
    mode: int | None = None
    user: int | str | None = None
    group: int | str | None = None


class AppendedFile:
    """One open file. Nothing is kept back: what was written is in the file."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.size = 0
        self.appended = 0
        """Bytes that were written so far."""
        self.is_plain = True
        """Whether it is a plain file that may be renamed, as far as is known."""
        self._fd = -1
        self._is_torn = False
        self.log: api.WriteLog = api.NO_LOG
        """Notes what is about to be written."""

    @property
    def path(self) -> str:
        """The name it was opened by."""
        return self.place.path

    @property
    def is_open(self) -> bool:
        """Whether it can be written to."""
        return self._fd >= 0

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._fd

    def open(self) -> None:
        """Open the file, made where it is not there. Raises `SystemProblem`."""
        place = self.place
        fd = api.open_append(place.path, place.mode, place.user, place.group)
        self.close()
        self._fd = fd
        self.size = os.fstat(fd).st_size
        self.is_plain = api.is_plain(place.path)

    def write(self, data: bytes) -> None:
        """Append bytes. Raises OSError, whose ``lost_bytes`` tells how many were not written."""
        if self._fd < 0:
            self.open()
        if self._is_torn:
            # The last line was cut when the disk was full; this one begins a new line.
            api.write_all(self._fd, b"\n")
            self._is_torn = False
        lost = 0
        self.log.appending(self.path, self._fd, len(data))
        try:
            api.write_all(self._fd, data)
        except OSError as error:
            lost = getattr(error, "lost_bytes", len(data))
            self._is_torn = 0 < lost < len(data) and data[-lost - 1] != _LINE_END
            raise
        finally:
            self.log.appended(len(data) - lost)
            self.size += len(data) - lost
            self.appended += len(data) - lost

    def close(self) -> None:
        """Close it; the next write opens it again."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def check_path(self) -> bool:
        """Measure the file; return whether its name still leads to it."""
        if self._fd < 0:
            return False
        try:
            by_name = os.stat(self.path)
        except OSError:
            return False
        open_file = os.fstat(self._fd)
        self.size = open_file.st_size
        return os.path.samestat(by_name, open_file)

    def changed_at(self) -> float | None:
        """Return the Unix time of the last change, None for a file without anything in it."""
        try:
            status = os.stat(self.path)
        except OSError:
            return None
        return status.st_mtime if status.st_size else None


def temporary_path() -> str:
    """Make a file for output that was given no name."""
    fd, path = mkstemp(prefix="circus-", suffix=".log")
    os.close(fd)
    return path
