"""The daemon's log as messages for syslog, at a socket of this machine or by UDP.

What may take long, a connection or the address of a name, is done with the first record, in the
thread that writes the log.
"""

from __future__ import annotations

import logging
import logging.handlers
from typing import NoReturn
from urllib.parse import urlsplit

from cvec_circus_core.daemon.log_targets import write_instead
from cvec_circus_core.model.errors import ConfigError

_SYSLOG_PORT = 514
_LOCAL_SYSLOG = "/dev/log"


class _Strict(logging.handlers.SysLogHandler):
    def handleError(self, record: logging.LogRecord) -> NoReturn:  # noqa: N802 – logging's name
        """Let the failure through."""
        raise


class SysLog(logging.Handler):
    """Syslog. While it is out of reach, lines go to standard error."""

    def __init__(self, address: str | tuple[str, int], facility: str) -> None:
        super().__init__()
        self._address = address
        self._facility = facility
        self._handler: _Strict | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Send a message, or write it to standard error."""
        try:
            if self._handler is None:
                self._handler = _Strict(self._address, self._facility)
            self._handler.setFormatter(self.formatter)
            self._handler.emit(record)
        except OSError as error:
            write_instead(self, record, f"not in syslog: {error}")

    def close(self) -> None:
        """Disconnect."""
        if self._handler is not None:
            self._handler.close()
        super().close()


def to_syslog(output: str) -> SysLog:
    """Return what writes to the syslog of an address. Raises `ConfigError`."""
    try:
        address = urlsplit(output)
        port = address.port or _SYSLOG_PORT
    except ValueError as error:
        raise ConfigError(f"logoutput {output} can not be used: {error}") from None
    facility = address.query or "user"
    if facility not in logging.handlers.SysLogHandler.facility_names:
        raise ConfigError(f"logoutput {output} names no syslog facility: {facility}")
    if address.hostname:
        return SysLog((address.hostname, port), facility)
    return SysLog(address.path or _LOCAL_SYSLOG, facility)
