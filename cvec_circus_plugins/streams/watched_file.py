"""WatchedFileStream: a file that others may move away."""

from __future__ import annotations

from dataclasses import dataclass

from cvec_circus_plugins.streams._file_writer import FileWriter


@dataclass(kw_only=True, eq=False)
class WatchedFileStream(FileWriter):
    """Append output to a file, and open it anew as soon as it was moved away or deleted."""

    def prepare(self, at: float) -> None:
        """Look where the file is before each write."""
        if not self._file.check_path():
            self.reopen()
