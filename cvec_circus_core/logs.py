"""The daemon's own log: standard error, a file, or syslog; or a logging configuration of one's own.

Files are opened anew when they were moved away, and at SIGHUP and SIGUSR1. Nobody can lead us to
another file (`system/trusted_paths.py`); where a file can not be opened any more, lines go to
standard error. Format and addresses follow spec: config, section circus.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any
from urllib.parse import urlsplit

from cvec_circus_core.model.errors import ConfigError, SystemProblem
from cvec_circus_core.model.events import (
    CommandAudited,
    ProcessReaped,
    ProcessSpawned,
    Told,
    WatcherStarted,
    WatcherStopped,
)
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.system.files import open_append

log = logging.getLogger(__name__)

FORMAT = "%(asctime)s circus[{pid}] [%(levelname)s] %(message)s"
TIMES = "%Y-%m-%d %H:%M:%S"
_SYSLOG_PORT = 514


def set_up(spec: ArbiterSpec) -> None:
    """Send the log where the spec says. Raises `ConfigError` naming what can not be used."""
    if spec.loggerconfig and spec.loggerconfig != "default":
        _configure(spec.loggerconfig)
        return
    handler = _handler(spec.logoutput)
    handler.setFormatter(logging.Formatter(FORMAT.format(pid=os.getpid()), TIMES))
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


def log_event(told: Told) -> None:
    """Write the events that people look for in a log."""
    event = told.event
    match event:
        case ProcessSpawned():
            log.info("running %s process [pid %d]", event.watcher, event.pid)
        case ProcessReaped() if event.reason in (ExitReason.EXITED, ExitReason.UNREADY):
            message = "%s process [pid %d] ended by itself, exit code %s"
            log.warning(message, event.watcher, event.pid, event.exit_code)
        case WatcherStarted():
            log.info("%s started", event.watcher)
        case CommandAudited():
            pass  # Whoever tells it has written a line already.
        case WatcherStopped() if event.reason:
            log.error("%s stopped: %s", event.watcher, event.reason)
        case WatcherStopped():
            log.info("%s stopped", event.watcher)
        case _:
            log.debug("%s %s", told.topic, event.facts())


def _handler(output: str) -> logging.Handler:
    if output == "-":
        return logging.StreamHandler(sys.stderr)
    if output.startswith("syslog://"):
        return _syslog(output)
    try:
        return LogFile(output, encoding="utf-8")
    except SystemProblem as error:
        raise ConfigError(f"logoutput {error}") from None


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


def _syslog(output: str) -> logging.Handler:
    address = urlsplit(output)
    facility = address.query or "user"
    if facility not in logging.handlers.SysLogHandler.facility_names:
        raise ConfigError(f"logoutput {output} names no syslog facility: {facility}")
    try:
        target = (
            (address.hostname, address.port or _SYSLOG_PORT) if address.hostname else address.path
        )
        return logging.handlers.SysLogHandler(target, facility=facility)
    except (OSError, ValueError) as error:
        raise ConfigError(f"logoutput {output} can not be used: {error}") from None


def _configure(path: str) -> None:
    config = import_module("logging.config")  # seldom wanted, and not small
    try:
        if path.endswith(".json"):
            with open(path, encoding="utf-8") as file:
                config.dictConfig(json.load(file))
        elif path.endswith((".yaml", ".yml")):
            config.dictConfig(_from_yaml(path))
        else:
            config.fileConfig(path, disable_existing_loggers=False)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise ConfigError(f"loggerconfig {path} can not be used: {error}") from None


def _from_yaml(path: str) -> Any:
    try:
        import yaml  # only who writes YAML needs the package
    except ImportError:
        raise ConfigError(f"loggerconfig {path} needs the package pyyaml") from None
    with open(path, encoding="utf-8") as file:
        return yaml.safe_load(file)
