"""circusd: a program around the engine. Pid file, log, signals, readiness, exit code.

Built in this order and taken down in the reverse: pid file, log, loop, engine, endpoints, watchers.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from functools import partial

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.daemon.config_source import ConfigSource, Flags, log_doubts
from cvec_circus_core.daemon.default_log import default_log
from cvec_circus_core.daemon.keeper_start import become_keeper
from cvec_circus_core.daemon.left_behind import naming, sentence_of
from cvec_circus_core.daemon.logs import (
    END_LIMIT,
    gathering,
    join_priority,
    log_event,
    set_up,
    wait_written,
)
from cvec_circus_core.daemon.place import Place
from cvec_circus_core.daemon.shutdown import Shutdown
from cvec_circus_core.daemon.state_files import take_state_file
from cvec_circus_core.daemon.unix_signals import hear_signals
from cvec_circus_core.engine import Engine, Parts
from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.registry import load_commands
from cvec_circus_core.hosting.threads import PLUGIN_THREAD
from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.runtime.daemon_callbacks import DaemonCallbacks
from cvec_circus_core.system.daemonize import NOBODY_WAITS, WaitingCaller, daemonize
from cvec_circus_core.system.pidfile import PidFile
from cvec_circus_core.system.prctl import become_subreaper
from cvec_circus_core.system.processes.abandoned import find_abandoned
from cvec_circus_core.system.processes.descriptors import (
    make_room,
    raise_nofile_limit,
    seal_descriptors,
)
from cvec_circus_core.system.processes.launcher import Launcher
from cvec_circus_core.system.processes.local_owner import (
    choose_processes,
    local_owner,
    subreaper_processes,
)
from cvec_circus_core.system.processes.priority import REALTIME_PRIORITY, Way, precedence
from cvec_circus_core.system.processes.state_file import NO_RECORD

log = logging.getLogger(__name__)

OK, FAILED = 0, 1
_OF_THE_LOG = frozenset({"loglevel", "logoutput", "loggerconfig"})
_GC_DEBUG = gc.DEBUG_UNCOLLECTABLE | gc.DEBUG_STATS
_DESCRIPTORS, _DESCRIPTORS_EACH = 500, 3
"""Our own and those of connections; and a process's end and its two pipes."""


def run(flags: Flags, loaded: Loaded, again: Sequence[str]) -> int:
    """Run the daemon until it is told to end, and return its exit code.

    In the background, the caller's process ends with the daemon's readiness or failure. Raises
    `CircusError` with one sentence where the start is not possible: nothing is left behind then.
    ``again`` is the command by which a keeper starts it.
    """
    welcome = ""
    if flags.background and loaded.arbiter.logoutput == "-" and not loaded.arbiter.loggerconfig:
        welcome = "circusd: its log is kept nowhere; --log-output FILE keeps it"
        if (file := default_log(flags.config, os.environ)) is not None:
            welcome = f"circusd: its log is {file}"
            flags = replace(flags, logoutput=file)
            loaded, again = flags.over(loaded), (*again, "--log-output", file)
    caller = daemonize(welcome) if flags.background else NOBODY_WAITS
    try:
        code = _run_with_pidfile(flags, loaded, again, caller)
    except CircusError as error:
        caller.failed(f"circusd: {error}")
        if flags.background:
            log.critical("%s", error)
        wait_written(END_LIMIT)
        raise
    return finish(code)


def finish(code: int) -> int:
    """Return the exit code once the log is written; end here and now where threads hang."""
    if not wait_written(END_LIMIT) or _has_hanging_threads():
        # The thread of a log that hangs may hold what the interpreter wants at its end, and the
        # interpreter waits for threads that a plugin has started.
        os._exit(code)
    return code


def _run_with_pidfile(
    flags: Flags, loaded: Loaded, again: Sequence[str], caller: WaitingCaller
) -> int:
    spec = loaded.arbiter
    pidfile = None
    with ExitStack() as stack:
        if spec.umask is not None:
            os.umask(spec.umask)
        if spec.pidfile:
            pidfile = PidFile(spec.pidfile)
            pidfile.acquire()
            stack.callback(pidfile.release)
        state, inventory = take_state_file(loaded, flags.config, os.environ, partial(set_up, spec))
        if spec.keeper:
            wait_written(END_LIMIT)
            become_keeper(again, caller, pidfile, state, inventory)
        if state is not None:
            stack.callback(state.release)
        # Process 1 of a container is given every orphan without asking.
        make = subreaper_processes if _is_given_orphans() else choose_processes
        place = Place(local_owner(make, state or NO_RECORD, inventory), caller)
        return serve(flags, loaded, place)


def serve(flags: Flags, loaded: Loaded, place: Place) -> int:
    """Run the daemon in its place until its end; return the exit code. Raises `CircusError`."""
    spec = loaded.arbiter
    set_up(spec)
    log_doubts(loaded)
    raise_nofile_limit()
    processes = sum(watcher.numprocesses for watcher in loaded.watchers)
    make_room(_DESCRIPTORS + _DESCRIPTORS_EACH * processes)
    seal_descriptors()
    if spec.debug_gc:
        gc.set_debug(_GC_DEBUG)
    failure = asyncio.run(_run(flags, loaded, place))
    if failure is None:
        return OK
    place.failed(f"circusd: {failure}")
    log.critical("%s; with on_failure = exit, that ends circusd", failure)
    return FAILED


def _has_hanging_threads() -> bool:
    return any(
        thread is not threading.main_thread()
        and (not thread.daemon or thread.name.startswith(PLUGIN_THREAD))
        for thread in threading.enumerate()
    )


async def _run(flags: Flags, loaded: Loaded, place: Place) -> str | None:
    """Run until the end, and return what failed where that brought it about."""
    hooks = Hooks.installed()
    source = ConfigSource(flags, loaded, hooks)

    def note_in_force() -> None:
        place.in_force(source.last_read, engine.supervisor.spec)

    parts = Parts(
        commands=load_commands(),
        hooks=hooks,
        daemon=DaemonCallbacks(
            configure=source.read_again,
            read_config=source.read_in_thread,
            apply_options=_apply_options,
            applied=note_in_force,
            saved=source.saved,
            daemon_host=place,
        ),
        inner=source.inner,
        launcher=Launcher(sealed=True),
        owner=place.owner,
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(gathering())
        engine = Engine(source.first(), parts)
        stack.push_async_callback(engine.close)
        _open(engine, loaded, place)
        ending = Shutdown(engine)
        stack.callback(hear_signals(engine, ending, reaps=not place.is_kept))
        note_in_force()
        engine.begin()
        engine.started()
        log.info("Arbiter now waiting for commands")
        place.ready()
        await ending.wait()
        place.stopping()
    log.info("Everything is stopped, bye")
    return engine.failure


def _open(engine: Engine, loaded: Loaded, place: Place) -> None:
    """Open sockets and endpoints, with the priority that the daemon is to have."""
    engine.bus.listen("log", log_event)
    log.info("Starting master on pid %d", os.getpid())
    taken_over = [process.pid for process in engine.store.inventory.processes]
    abandoned = find_abandoned(taken_over) if place.is_first else ()
    if left_behind := sentence_of(abandoned, loaded.watchers):
        log.warning("%s", left_behind)
    way = precedence.take(loaded.arbiter.nice, realtime=loaded.arbiter.realtime)
    with naming(abandoned, loaded.watchers):
        engine.serve(REALTIME_PRIORITY if way is Way.REALTIME else None)
    precedence.spread()
    join_priority()


def _is_given_orphans() -> bool:
    return become_subreaper() or os.getpid() == 1


def _apply_options(spec: ArbiterSpec, keys: tuple[str, ...]) -> None:
    """Live by options that reloadconfig has brought. Raises `ConfigError`."""
    if _OF_THE_LOG.intersection(keys):
        set_up(spec)
    if "debug_gc" in keys:
        gc.set_debug(_GC_DEBUG if spec.debug_gc else 0)
