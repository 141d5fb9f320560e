"""SyslogStream: a message per line for the system's log."""

from __future__ import annotations

import errno
import logging
import os
import socket
import sys
from dataclasses import dataclass, field
from logging.handlers import SYSLOG_UDP_PORT, SysLogHandler
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Fault, Stream, option

if TYPE_CHECKING:
    from collections.abc import Mapping

_USUAL = "/var/run/syslog" if sys.platform == "darwin" else "/dev/log"


class _Strict(SysLogHandler):
    """A handler of one priority, whose failures are not hidden."""

    def __init__(self, address: str | tuple[str, int], facility: str, priority: str) -> None:
        super().__init__(address, facility)
        self._priority = priority

    def emit_all(self, texts: list[str]) -> None:
        """Send some messages, without a record for each. Raises OSError."""
        sending = iter(texts)
        connected = getattr(self, "socket", None)
        if self.unixsocket and isinstance(connected, socket.socket):
            head = f"<{self.encodePriority(self.facility, self._priority)}>"
            send = connected.sendall
            for text in sending:
                try:
                    send(f"{head}{text}\0".encode())
                except OSError:
                    # The listener was started anew: the handler knows how to go on.
                    self._emit_text(text)
                    break
        for text in sending:
            self._emit_text(text)

    def _emit_text(self, text: str) -> None:
        self.emit(logging.makeLogRecord({"msg": text, "levelname": "INFO"}))

    def mapPriority(self, levelName: str) -> str:  # noqa: N802, N803 – logging's own names
        """Return the same priority for every message."""
        return self._priority

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 – logging's own name
        """Let the failure through."""
        raise


@dataclass(kw_only=True, eq=False)
class SyslogStream(Stream):
    """Send a message to syslog for every line that is not empty."""

    address: str = option(_USUAL, api.TEXT, "socket of the system's log, or HOST[:PORT] for UDP")
    facility: str = option("user", api.TEXT, "facility, such as user, daemon or local0")
    priority: str = option("info", api.TEXT, "priority, such as info, warning or err")
    ident: str | None = option(
        None, api.or_none(api.TEXT), "name before the pid; that of the watcher when not given"
    )
    _handler: _Strict | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Read all options. Raises `Fault`."""
        super().__post_init__()
        self.whole_lines = True
        self.facility, self.priority = self.facility.lower(), self.priority.lower()
        if self.facility not in SysLogHandler.facility_names:
            allowed = ", ".join(SysLogHandler.facility_names)
            raise Fault("facility", "isn't one of syslog's", allowed)
        if self.priority not in SysLogHandler.priority_names:
            allowed = ", ".join(SysLogHandler.priority_names)
            raise Fault("priority", "isn't one of syslog's", allowed)

    def open(self) -> None:
        """Look whether anybody is there, where that takes no time. Raises OSError."""
        self.close()
        if os.path.isabs(self.address):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
                if (number := probe.connect_ex(self.address)) not in (0, errno.EPROTOTYPE):
                    raise OSError(number, os.strerror(number))

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Send the lines of one piece."""
        if self._handler is None:
            # In the thread: a connection, or the address of a name, may take long.
            self._handler = _Strict(self._target(), self.facility, self.priority)
        ident = self.ident or data.get("watcher") or "circus"
        lines = data["data"].decode(errors="backslashreplace").split("\n")
        self._handler.emit_all([f"{ident}[{data['pid']}]: {line}" for line in lines if line])

    def close(self) -> None:
        """Disconnect."""
        if self._handler is not None:
            self._handler.close()
            self._handler = None

    def _target(self) -> str | tuple[str, int]:
        if os.path.isabs(self.address):
            return self.address
        host, _, port = self.address.partition(":")
        return host, int(port) if port.isdigit() else SYSLOG_UDP_PORT
