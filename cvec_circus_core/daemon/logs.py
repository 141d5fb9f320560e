"""The daemon's own log: standard error, a file, or syslog; or a logging configuration of one's own.

Files are opened anew at SIGHUP and SIGUSR1, and when they were moved away (`log_targets.py`). The
format follows spec: config, section circus.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from importlib import import_module
from typing import IO, Any, cast

from cvec_circus_core.model.errors import ConfigError
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


_REFUSALS = (OSError, ValueError, RuntimeError, TypeError, AttributeError)
"""What logging.config raises for what it can not use."""


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
        _configure(spec.loggerconfig)
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


def log_event(told: Told) -> None:
    """Write the events that people look for in a log."""
    event = told.event
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
            pass  # Whoever tells it has written a line already.
        case WatcherStopped() if event.reason:
            level = logging.ERROR if event.gave_up else logging.INFO
            log.log(level, "%s stopped: %s", event.watcher, event.reason)
        case WatcherStopped():
            log.info("%s stopped", event.watcher)
        case _:
            log.debug("%s %s", told.topic, event.facts())


def _handler(output: str) -> logging.Handler:
    if output == "-":
        return logging.StreamHandler(sys.stderr)
    # Most daemons write to standard error, and do without what these bring.
    targets = import_module("cvec_circus_core.daemon.log_targets")
    if output.startswith("syslog://"):
        return cast(logging.Handler, targets.to_syslog(output))
    return cast(logging.Handler, targets.to_file(output))


def read_loggerconfig(path: str) -> Any:
    """Return what a logging configuration says. Raises ConfigError with a reason in one line."""
    try:
        if path.endswith((".json", ".yaml", ".yml")):
            with open(path, encoding="utf-8") as file:
                said = json.load(file) if path.endswith(".json") else _from_yaml(file)
            if not isinstance(said, dict):
                raise ConfigError("it is no mapping")
            return said
        return _from_ini(path)
    except OSError as error:
        raise ConfigError((error.strerror or str(error)).lower()) from None
    except ValueError as error:
        raise ConfigError(" ".join(str(error).split())) from None


def _configure(path: str) -> None:
    config = import_module("logging.config")  # seldom wanted, and not small
    try:
        said = read_loggerconfig(path)
        if isinstance(said, dict):
            config.dictConfig(said)
        else:
            config.fileConfig(said, disable_existing_loggers=False)
    except KeyError as error:
        raise ConfigError(f"loggerconfig {path} can not be used: it lacks {error}") from None
    except (ConfigError, *_REFUSALS) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"loggerconfig {path} can not be used: {reason}") from None


def _from_ini(path: str) -> Any:
    parsing = import_module("configparser")
    parser = parsing.ConfigParser()
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
    except parsing.MissingSectionHeaderError as error:
        line = repr(error.line.strip())
        raise ConfigError(f"line {error.lineno}, {line}, is in no section") from None
    except parsing.ParsingError as error:
        raise ConfigError(f"line {error.errors[0][0]} can not be read") from None
    except parsing.Error as error:
        raise ConfigError(" ".join(str(error).split())) from None
    for section in ("loggers", "handlers", "formatters"):
        if not parser.has_section(section):
            raise ConfigError(f"it has no section [{section}]")
    return parser


def _from_yaml(file: IO[str]) -> Any:
    try:
        import yaml  # only who writes YAML needs the package
    except ImportError:
        raise ConfigError("it needs the package pyyaml") from None
    try:
        return yaml.safe_load(file)
    except yaml.YAMLError as error:
        raise ConfigError(" ".join(str(error).split())) from None
