"""DirectFileStream: files that processes write to themselves."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cvec_circus_core.api import Fault
from cvec_circus_plugins.streams._append_file import AppendedFile
from cvec_circus_plugins.streams._file_writer import FileKeeper

_WID = "{wid}"


@dataclass(kw_only=True, eq=False)
class DirectFileStream(FileKeeper):
    """Give processes the file itself, opened for appending: output does not pass the daemon.

    ``{wid}`` in the filename gives each process of the watcher a file of its own. Where several
    write to one file, what they write in pieces may mix in the middle of a line. It costs the
    daemon nothing, and goes on when the daemon is killed. For that price the daemon does not see
    it: ``tail`` and ``ready = log:`` need another class, and after ``reopen`` running processes
    keep the old file.
    """

    direct = True
    _files: dict[int, AppendedFile] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Read all options. Raises `Fault`."""
        super().__post_init__()
        if self.filename is None:
            raise Fault("filename", "is missing")
        if _WID in os.path.dirname(self.filename):
            raise Fault("filename", f"has {_WID} in the name of a folder")

    def open(self) -> None:
        """Open the file, unless each process has one. Raises `SystemProblem`."""
        if _WID not in (self.filename or ""):
            super().open()

    def descriptor(self, wid: int) -> int:
        """Return what the process of a slot writes to. Raises `SystemProblem`."""
        return self._file_of(wid).fileno()

    def reopen(self) -> None:
        """Open the files anew by their names, for processes that start from now on."""
        super().reopen()
        for file in self._files.values():
            file.open()

    def close(self) -> None:
        """Close the files; processes have them still."""
        super().close()
        for file in self._files.values():
            file.close()
        self._files.clear()

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Append what processes write that were started before, with another stream."""
        self._file_of(data.get("wid", 0)).write(data["data"])

    def _file_of(self, wid: int) -> AppendedFile:
        name = self.filename or ""
        if _WID not in name:
            self.open()
            return self._file
        if wid not in self._files:
            file = AppendedFile(self.place(name.replace(_WID, str(wid))))
            file.open()
            self._files[wid] = file
        return self._files[wid]
