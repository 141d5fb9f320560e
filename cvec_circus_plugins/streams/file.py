"""FileStream: a file, and its rotation by size."""

from __future__ import annotations

from dataclasses import dataclass, field

from cvec_circus_core import api
from cvec_circus_core.api import Fault, option
from cvec_circus_plugins.streams._backups import pack, shift
from cvec_circus_plugins.streams._file_writer import BYTES, COUNT
from cvec_circus_plugins.streams._rotation import RotatingFileWriter

_LINE_END = ord("\n")


@dataclass(kw_only=True, eq=False)
class FileStream(RotatingFileWriter):
    """Append output to a file, and begin a new one when it grows too large.

    The file is always ``filename``; older ones are ``filename.1`` and so on. They are cut between
    two lines, so that no file reaches ``max_bytes``, unless one line alone does. A symbolic link is
    followed: its target is rotated. What is no plain file, such as /dev/stdout, never is.
    """

    rotation_option = "max_bytes"

    max_bytes: int = option(0, BYTES, "size at which a new file is begun; 0 for never")
    backup_count: int = option(0, COUNT, "how many older files are kept")
    gzip: bool = option(False, api.BOOLEAN, "compress older files")
    _is_mid_line: bool = field(init=False, repr=False, default=False)

    def __post_init__(self) -> None:
        """Read all options. Raises `Fault`."""
        super().__post_init__()
        if self.max_bytes and not self.backup_count:
            # The older system never made room then; to throw output away nobody has asked for.
            raise Fault("max_bytes", "needs a backup_count of at least 1")
        # Compressing takes as long as it takes.
        self.in_loop = self.in_loop and not self.gzip

    def write(self, text: bytes) -> None:
        """Write a piece, in parts where it is more than there is room for."""
        if not self.may_rotate:
            super().write(text)
            return
        while text:
            size = self._fitting(text) or self._rest_of_line(text)
            if not size:
                try:
                    self._rotate()
                except (OSError, api.SystemProblem):
                    # Output is not lost because an old file can not be put away.
                    self._file.write(text)
                    raise
                size = self._fitting(text) or _first_line(text)
            self._file.write(text[:size])
            self._is_mid_line = text[size - 1] != _LINE_END
            text = text[size:]

    @property
    def rotates(self) -> bool:
        """Whether there is a size at which a new file is begun."""
        return bool(self.max_bytes)

    def prepare(self, at: float) -> None:
        """Look whether others write to the same file, or have rotated it."""
        if self.may_rotate and not self._file.check_path():
            self.reopen()

    def _fitting(self, text: bytes) -> int:
        """Return how much of a text there is room for: whole lines, if it is not all of it."""
        room = self.max_bytes - 1 - self._file.size
        if len(text) <= room:
            return len(text)
        return text.rfind(b"\n", 0, max(room, 0)) + 1

    def _rest_of_line(self, text: bytes) -> int:
        """Return how much of a text ends a line that has begun in this file."""
        return text.find(b"\n") + 1 if self._is_mid_line else 0

    def _rotate(self) -> None:
        if not self._file.size:
            return
        path = self._file.path
        shift(path, self.backup_count)
        self.rename(".1")
        if self.gzip:
            pack(path, ".1")


def _first_line(text: bytes) -> int:
    return text.find(b"\n") + 1 or len(text)
