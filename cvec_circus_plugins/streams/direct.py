"""DirectFileStream: a file that processes write to themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cvec_circus_core.api import BadOption
from cvec_circus_plugins.streams._written import FileKeeper


@dataclass(kw_only=True, eq=False)
class DirectFileStream(FileKeeper):
    """Give processes the file itself, opened for appending: output does not pass the daemon.

    It costs the daemon nothing, and goes on when the daemon is killed. For that price the daemon
    does not see it: ``tail`` and ``ready = log:`` need another class, pieces of several processes
    may mix in the middle of a line, and after ``reopen`` running processes keep the old file.
    """

    def __post_init__(self) -> None:
        """Read all options. Raises `BadOption`."""
        super().__post_init__()
        if self.filename is None:
            raise BadOption("filename", "is missing")

    def descriptor(self) -> int:
        """Return what processes write to."""
        return self._file.fileno()

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Append what processes write that were started before, with another stream."""
        if not self.is_open:
            self.open()
        self._file.write(data["data"])
