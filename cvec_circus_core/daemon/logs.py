"""The daemon's own log: standard error, a file, or syslog; or a `loggerconfig`.

Files are opened anew at SIGHUP and SIGUSR1, and when they were moved away (`log_targets.py`). The
format follows spec: config, section circus.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib import import_module
from typing import cast

from cvec_circus_core.model.events import (
    CommandAudited,
    NotReady,
    ProcessReaped,
    ProcessSpawned,
    RolloutFailed,
    Told,
    WatcherStarted,
    WatcherStopped,
)
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.specs import ArbiterSpec

log = logging.getLogger(__name__)

FORMAT = "%(asctime)s circus[{pid}] [%(levelname)s] %(message)s"
TIMES = "%Y-%m-%d %H:%M:%S"


class _Lines(logging.Formatter):
    """Our format. A second is written out once, however many lines it has."""

    def __init__(self) -> None:
        super().__init__(FORMAT.format(pid=os.getpid()), TIMES)
        self._second = (-1, "")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Return the time of a line."""
        second = int(record.created)
        if self._second[0] != second:
            self._second = second, super().formatTime(record, datefmt)
        return self._second[1]


def set_up(spec: ArbiterSpec) -> None:
    """Send the log where the spec says. Raises `ConfigError` naming what can not be used."""
    if spec.loggerconfig and spec.loggerconfig != "default":
        # seldom wanted, and not small
        import_module("cvec_circus_core.daemon.logger_config").configure(spec.loggerconfig)
        return
    handler = _handler(spec.logoutput)
    handler.setFormatter(_Lines())
    _gather_less()
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(spec.loglevel.upper())


def _gather_less() -> None:
    """Leave out what our format does not show: a line per spawn is felt when a thousand start."""
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False
    logging._srcfile = None  # as the Python logging how-to tells


def reopen() -> None:
    """Open every log file anew."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            # A closed file handler opens its file again at the next record.
            handler.close()
            handler.stream = None


def log_event(notice: Told) -> None:
    """Write the events that people look for in a log."""
    event = notice.event
    match event:
        case ProcessSpawned():
            log.info("running %s process [pid %d]", event.watcher, event.pid)
        case ProcessReaped() if event.reason in (ExitReason.EXITED, ExitReason.UNREADY):
            message = "%s process [pid %d] ended by itself, exit code %s"
            level = logging.WARNING if event.exit_code else logging.INFO
            log.log(level, message, event.watcher, event.pid, event.exit_code)
        case WatcherStarted():
            log.info("%s started", event.watcher)
        case RolloutFailed():
            log.error("%s is not renewed: %s", event.watcher, event.reason)
        case NotReady():
            message = "%s process [pid %d] did not say in time that it is ready"
            log.warning(message, event.watcher, event.pid)
        case CommandAudited():
            pass  # The audit has written a line already.
        case WatcherStopped() if event.reason:
            level = logging.ERROR if event.gave_up else logging.INFO
            log.log(level, "%s stopped: %s", event.watcher, event.reason)
        case WatcherStopped():
            log.info("%s stopped", event.watcher)
        case _:
            log.debug("%s %s", notice.topic, event.facts())


def _handler(output: str) -> logging.Handler:
    if output == "-":
        return logging.StreamHandler(sys.stderr)
    # Most daemons write to standard error, and do without what these bring.
    targets = import_module("cvec_circus_core.daemon.log_targets")
    if output.startswith("syslog://"):
        return cast(logging.Handler, targets.to_syslog(output))
    return cast(logging.Handler, targets.to_file(output))
