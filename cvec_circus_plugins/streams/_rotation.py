"""What the streams that rotate their file have in common: which files may be rotated at all.

Only a plain file is, by its own name; a symbolic link is followed, so that it is its target that is
renamed. Anything else, such as /dev/stdout, a named pipe or a device, is the machine's or somebody
else's: it is written to, and the log says that it is never rotated.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from cvec_circus_core import api
from cvec_circus_core.api import Fault
from cvec_circus_plugins.streams._file_writer import FileWriter

log = logging.getLogger(__name__)


class RotatingFileWriter(FileWriter):
    """Appends to a file that is given another name now and then."""

    rotation_option = ""
    """The option that asks for rotation."""

    @property
    def rotates(self) -> bool:
        """Whether rotation is asked for."""
        return True

    @property
    def may_rotate(self) -> bool:
        """Whether it is asked for and possible."""
        return self.rotates and self._file.is_plain

    def open(self) -> None:
        """Open the file; say so where it is none that is rotated. Raises `SystemProblem`."""
        was_open = self.is_open
        super().open()
        if not was_open and self.rotates and not self._file.is_plain:
            path = self._file.path
            log.warning("%s is not a plain file: it is written to, but never rotated", path)

    def doubts(self) -> Iterator[Fault]:
        """Find a file that is none."""
        if self.filename is not None and self.rotates and not api.is_plain(self.filename):
            sentence = f"has no effect: {self.filename} is not a plain file, and never rotated"
            yield Fault(self.rotation_option, sentence)
