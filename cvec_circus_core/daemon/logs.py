"""The daemon's own log: standard error, a file, or syslog; or a `loggerconfig`.

Records leave by a queue (`log_queue.py`), so that a log that hangs keeps nobody waiting. Files are
opened anew at SIGHUP and SIGUSR1, and when they were moved away (`log_targets.py`). The format
follows spec: config, section circus.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from cvec_circus_core.daemon.log_queue import Gathering, LogQueue
from cvec_circus_core.daemon.log_targets import LogFile, StandardError
from cvec_circus_core.model.errors import ConfigError, SystemProblem
from cvec_circus_core.model.events import (
    CommandAudited,
    NotReady,
    ProcessReaped,
    ProcessSpawned,
    Told,
    WatcherRolloutFailed,
    WatcherStarted,
    WatcherStopped,
)
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.text import escaped
from cvec_circus_core.system.processes.priority import precedence

log = logging.getLogger(__name__)

FORMAT = "%(asctime)s circus[{pid}] [%(levelname)s] %(message)s"
TIMES = "%Y-%m-%d %H:%M:%S"

LONGEST_MESSAGE = 4000
"""Characters of one message. Reasons may quote options, which may have a megabyte."""

END_LIMIT = 2.0
"""Seconds for the log to take its last records."""


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

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return a line: whatever its parts hold, it is one, and not longer than somebody reads."""
        message = record.message
        if len(message) > LONGEST_MESSAGE or not message.isprintable():
            record.message = escaped(message, LONGEST_MESSAGE)
        return super().formatMessage(record)


def set_up(spec: ArbiterSpec) -> None:
    """Send the log where the spec says. Raises `ConfigError` naming what can not be used."""
    if spec.loggerconfig and spec.loggerconfig != "default":
        # seldom wanted, and not small
        import_module("cvec_circus_core.daemon.logger_config").configure(spec.loggerconfig)
        _queue_all()
        return
    handler = _handler(spec.logoutput)
    handler.setFormatter(_Lines())
    _gather_less()
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
        if isinstance(old, LogQueue):
            old.retire()
    root.addHandler(LogQueue(handler))
    _catch_stray_messages()
    root.setLevel(spec.loglevel.upper())


def _catch_stray_messages() -> None:
    """Have what Python itself would write to standard error, from the loop, go by the log."""
    logging.captureWarnings(True)
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_thread_failure


def _log_unraisable(failure: sys.UnraisableHookArgs) -> None:
    message = failure.err_msg or "exception ignored"
    log.error("%s: %r", message, failure.object, exc_info=failure.exc_value)


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread is not None else "that has ended"
    log.error("the thread %s failed", name, exc_info=failure.exc_value)


@contextmanager
def gathering() -> Iterator[None]:
    """Let records gather a little before they are written, for as long as the loop runs."""
    LogQueue.gathering = Gathering()
    try:
        yield
    finally:
        LogQueue.gathering = None


def join_priority() -> None:
    """Let the threads that write the log have the daemon's priority, which it has taken by now."""
    for queue in _queues():
        queue.run_in_thread(lambda _: precedence.join())


def wait_written(seconds: float) -> bool:
    """Wait at the end until the log is written, for so long at most; tell whether it is."""
    are_written = [queue.wait_written(seconds) for queue in _queues()]
    return all(are_written)


def _queue_all() -> None:
    """Put a queue before every handler that somebody has configured."""
    queues: dict[logging.Handler, LogQueue] = {}
    for logger in _loggers():
        for handler in tuple(logger.handlers):
            if isinstance(handler, LogQueue):
                continue
            if handler not in queues:
                queues[handler] = LogQueue(handler)
            logger.handlers[logger.handlers.index(handler)] = queues[handler]


def _loggers() -> Iterator[logging.Logger]:
    yield logging.getLogger()
    for logger in tuple(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield logger


def _queues() -> set[LogQueue]:
    return {
        handler
        for logger in _loggers()
        for handler in logger.handlers
        if isinstance(handler, LogQueue)
    }


def _gather_less() -> None:
    """Leave out what our format does not show: a line per spawn is felt when a thousand start."""
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False
    logging._srcfile = None  # as the Python logging how-to tells


def reopen() -> None:
    """Open every log file anew."""
    for queue in _queues():
        queue.run_in_thread(_reopen)


def _reopen(handler: logging.Handler) -> None:
    if isinstance(handler, LogFile):
        handler.reopen()
    elif isinstance(handler, logging.FileHandler):
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
        case WatcherRolloutFailed():
            log.error("%s is not renewed: %s", event.watcher, escaped(event.reason))
        case NotReady():
            message = "%s process [pid %d] did not say in time that it is ready"
            log.warning(message, event.watcher, event.pid)
        case CommandAudited():
            pass  # The audit has written a line already.
        case WatcherStopped() if event.reason:
            level = logging.ERROR if event.gave_up else logging.INFO
            log.log(level, "%s stopped: %s", event.watcher, escaped(event.reason))
        case WatcherStopped():
            log.info("%s stopped", event.watcher)
        case _:
            log.debug("%s %s", notice.topic, event.facts())


def _handler(output: str) -> logging.Handler:
    if output == "-":
        return StandardError()
    if output.startswith("syslog://"):
        # Most daemons do without what it brings.
        to_syslog = import_module("cvec_circus_core.daemon.syslog_target").to_syslog
        handler: logging.Handler = to_syslog(output)
        return handler
    try:
        return LogFile(output)
    except SystemProblem as error:
        raise ConfigError(f"logoutput {error}") from None
