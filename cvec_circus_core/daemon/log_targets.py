"""Where the daemon's log goes: standard error, a file, or syslog. All of it is called in a thread.

A file is opened anew when it was moved away; where that is not possible, lines go on to the old
one, as long as that has a name somewhere. Nobody can lead us to another file
(`system/trusted_paths.py`). What can not be written to a file or to syslog goes to standard error,
one line for a record. Addresses follow spec: config, section circus.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Sequence

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.system.files import open_append, write_all, write_standard
from cvec_circus_core.system.working_dir import by_name


class LineTarget(logging.Handler):
    """Takes several records at once."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line."""
        self.emit_all([record])

    def emit_all(self, records: Sequence[logging.LogRecord]) -> None:
        """Write a line for each."""
        raise NotImplementedError


class StandardError(LineTarget):
    """The daemon's standard error, written to the last byte, no matter who has set O_NONBLOCK."""

    def emit_all(self, records: Sequence[logging.LogRecord]) -> None:
        """Write a line for each. Raises OSError."""
        write_standard(sys.stderr, lines_of(self, records))


class LogFile(LineTarget):
    """A log file, opened as safely as the files of streams. Raises `SystemProblem`."""

    def __init__(self, path: str) -> None:
        # First, for logging remembers, and will close, what has been initialised.
        self._path = by_name(path)
        self._fd = open_append(self._path)
        super().__init__()

    def emit_all(self, records: Sequence[logging.LogRecord]) -> None:
        """Write a line for each, to standard error where the file can not be written."""
        try:
            self._follow_name()
            write_all(self._fd, lines_of(self, records))
        except (OSError, SystemProblem) as error:
            for record in records:
                write_instead(self, record, f"not in the log: {error}")

    def reopen(self) -> None:
        """Open the file anew by its name. Raises `SystemProblem`."""
        fd = open_append(self._path)
        self.close()
        self._fd = fd

    def close(self) -> None:
        """Close the file."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)
        super().close()

    def _follow_name(self) -> None:
        if self._fd < 0:
            self.reopen()
            return
        old = os.fstat(self._fd)
        try:
            if os.path.samestat(os.stat(self._path), old):
                return
        except OSError:
            pass  # It was moved or removed, or its folder was.
        try:
            self.reopen()
        except SystemProblem:
            if not old.st_nlink:
                raise


def lines_of(handler: logging.Handler, records: Iterable[logging.LogRecord]) -> bytes:
    """Return records as a handler formats them, each with a line's end."""
    return "".join(f"{handler.format(record)}\n" for record in records).encode(
        errors="backslashreplace"
    )


def write_instead(handler: logging.Handler, record: logging.LogRecord, reason: str) -> None:
    """Write a record to standard error, with the reason why it is not where it belongs."""
    line = lines_of(handler, [record]).removesuffix(b"\n")
    write_standard(sys.stderr, line + f" ({reason})\n".encode(errors="backslashreplace"))
