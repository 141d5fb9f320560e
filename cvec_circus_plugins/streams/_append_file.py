"""A file that output is appended to, and what happens when it is moved away."""

from __future__ import annotations

import os
from dataclasses import dataclass
from tempfile import mkstemp

from cvec_circus_core import api


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
        self._fd = -1

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

    def write(self, data: bytes) -> None:
        """Append bytes. Raises OSError."""
        if self._fd < 0:
            self.open()
        api.write_all(self._fd, data)
        self.size += len(data)

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
