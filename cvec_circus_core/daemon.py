"""circusd: a program around the engine. Pid file, log, signals, readiness, exit code.

Built in this order and taken down in the reverse: pid file, log, loop, engine, endpoints, watchers.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.load import accepted, load
from cvec_circus_core.engine import Engine, Parts
from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.registry import load_commands, load_formats
from cvec_circus_core.logs import reopen, set_up
from cvec_circus_core.model.events import (
    ProcessReaped,
    ProcessSpawned,
    Told,
    WatcherStarted,
    WatcherStopped,
)
from cvec_circus_core.model.exits import ExitReason
from cvec_circus_core.runtime.arbiter import Configured
from cvec_circus_core.system.daemonize import daemonize
from cvec_circus_core.system.descriptors import raise_nofile_limit, seal_descriptors
from cvec_circus_core.system.notify import notify
from cvec_circus_core.system.pidfile import PidFile
from cvec_circus_core.system.signals import SignalHandlers
from cvec_circus_core.system.trees import become_subreaper

log = logging.getLogger(__name__)

OK = 0
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


Ready = Callable[[], None]
"""Called once the endpoints are bound and the watchers are being started."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What the command line says; None where it says nothing."""

    config: str
    skip_bad: bool = False
    background: bool = False
    pidfile: str | None = None
    loglevel: str | None = None
    logoutput: str | None = None
    loggerconfig: str | None = None

    def over(self, loaded: Loaded) -> Loaded:
        """Return the configuration with what the command line overrides."""
        names = ("pidfile", "loglevel", "logoutput", "loggerconfig")
        given: dict[str, Any] = {name: getattr(self, name) for name in names}
        chosen = {name: value for name, value in given.items() if value is not None}
        return replace(loaded, arbiter=replace(loaded.arbiter, **chosen))


def read(flags: Flags, environ: Mapping[str, str]) -> Loaded:
    """Read and check the configuration. Raises `BadConfig` with everything that is wrong."""
    loaded = load(flags.config, load_formats(), environ)
    return flags.over(accepted(loaded, skip_bad=flags.skip_bad))


def run(flags: Flags, loaded: Loaded) -> int:
    """Run the daemon until it is told to end, and return its exit code.

    In the background, the caller's process ends with the daemon's readiness or failure. Raises
    `CircusError` with one sentence where the start is not possible: nothing is left behind then.
    """
    ready: Ready = daemonize() if flags.background else _nobody_waits
    with ExitStack() as stack:
        spec = loaded.arbiter
        if spec.umask is not None:
            os.umask(spec.umask)
        if spec.pidfile:
            stack.enter_context(PidFile(spec.pidfile))
        set_up(spec)
        for warning in loaded.warnings:
            log.warning("%s", warning)
        raise_nofile_limit()
        seal_descriptors()
        if spec.debug_gc:
            gc.set_debug(gc.DEBUG_UNCOLLECTABLE | gc.DEBUG_STATS)
        return asyncio.run(_run(flags, loaded, ready))


def _nobody_waits() -> None:
    """Tell nobody: the daemon runs in the foreground."""


async def _run(flags: Flags, loaded: Loaded, ready: Ready) -> int:
    def configure() -> Configured:
        return _configured(read(flags, os.environ))

    become_subreaper()
    parts = Parts(commands=load_commands().things, hooks=Hooks.installed(), configure=configure)
    engine = Engine(_configured(loaded), parts)
    engine.bus.listen("log", _log_event)
    log.info("Starting master on pid %d", os.getpid())
    try:
        engine.serve()
        with _signals(engine):
            engine.arbiter.start_all()
            engine.started()
            ready()
            notify("READY=1")
            await engine.arbiter.ended.wait()
            notify("STOPPING=1")
    finally:
        await engine.close()
    log.info("bye")
    return OK


def _configured(loaded: Loaded) -> Configured:
    return Configured(loaded.arbiter, loaded.watchers)


def _signals(engine: Engine) -> SignalHandlers:
    """Let Unix signals act as commands do, through the same front door."""

    def stop(signum: int) -> None:
        name = signal.Signals(signum).name
        if engine.arbiter.is_quitting:
            log.warning("%s again: killing what is left", name)
            engine.arbiter.hasten()
        else:
            log.info("%s: stopping everything", name)
        engine.desk.quit()

    def reload(_: int) -> None:
        log.info("SIGHUP: reloading everything")
        reopen()
        engine.desk.reload_all()

    handlers = {number: stop for number in _STOPPING}
    return SignalHandlers(
        engine.loop, {**handlers, signal.SIGHUP: reload, signal.SIGUSR1: lambda _: reopen()}
    )


def _log_event(told: Told) -> None:
    event = told.event
    match event:
        case ProcessSpawned():
            log.info("running %s process [pid %d]", event.watcher, event.pid)
        case ProcessReaped() if event.reason is ExitReason.EXITED:
            log.warning(
                "%s process [pid %d] ended by itself with %s",
                event.watcher,
                event.pid,
                event.exit_code,
            )
        case WatcherStarted():
            log.info("%s started", event.watcher)
        case WatcherStopped() if event.reason:
            log.error("%s stopped: %s", event.watcher, event.reason)
        case WatcherStopped():
            log.info("%s stopped", event.watcher)
        case _:
            log.debug("%s %s", told.topic, event.facts())
