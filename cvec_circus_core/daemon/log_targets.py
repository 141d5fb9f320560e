"""Where the daemon's log goes when it does not go to standard error: a file, or syslog.

A file is opened anew when it was moved away. Nobody can lead us to another file
(`system/trusted_paths.py`); where it can not be opened any more, lines go to standard error.
Addresses follow spec: config, section circus.
"""

from __future__ import annotations

import logging
import logging.handlers
import sys
from io import TextIOWrapper
from urllib.parse import urlsplit

from cvec_circus_core.model.errors import ConfigError, SystemProblem
from cvec_circus_core.system.files import open_append

_SYSLOG_PORT = 514
_LOCAL_SYSLOG = "/dev/log"


class LogFile(logging.handlers.WatchedFileHandler):
    """A log file, opened as safely as the files of streams."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, to standard error where the file is out of reach."""
        try:
            super().emit(record)
        except (OSError, SystemProblem) as error:
            sys.stderr.write(f"{self.format(record)} (not in the log: {error})\n")

    def _open(self) -> TextIOWrapper:
        return open(open_append(self.baseFilename), "a", encoding=self.encoding)


class SysLog(logging.handlers.SysLogHandler):
    """Syslog. While it is out of reach, lines go to standard error."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Write a line that could not be sent."""
        sys.stderr.write(f"{self.format(record)} (not in syslog: {sys.exc_info()[1]})\n")


def to_file(output: str) -> logging.Handler:
    """Return what writes to a file. Raises `ConfigError`."""
    try:
        return LogFile(output, encoding="utf-8")
    except SystemProblem as error:
        raise ConfigError(f"logoutput {error}") from None


def to_syslog(output: str) -> logging.Handler:
    """Return what writes to the syslog of an address. Raises `ConfigError`."""
    address = urlsplit(output)
    facility = address.query or "user"
    if facility not in logging.handlers.SysLogHandler.facility_names:
        raise ConfigError(f"logoutput {output} names no syslog facility: {facility}")
    try:
        target = (
            (address.hostname, address.port or _SYSLOG_PORT)
            if address.hostname
            else address.path or _LOCAL_SYSLOG
        )
        return SysLog(target, facility=facility)
    except (OSError, ValueError) as error:
        raise ConfigError(f"logoutput {output} can not be used: {error}") from None
