"""circusd: a program around the engine. Pid file, log, signals, readiness, exit code.

Built in this order and taken down in the reverse: pid file, log, loop, engine, endpoints, watchers.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from cvec_circus_core import __version__
from cvec_circus_core.config.build import Loaded, take_anything
from cvec_circus_core.config.checks import FindFaultsAround, FindPluginFaults, FindStreamFaults
from cvec_circus_core.config.load import (
    ReadFile,
    accepted,
    flawless,
    load,
    sentences_of_left_out,
    torn,
)
from cvec_circus_core.control.endpoints import InternalEndpoints
from cvec_circus_core.daemon.config_save import SavedFile
from cvec_circus_core.daemon.default_log import default_log
from cvec_circus_core.daemon.keeper_start import become_keeper
from cvec_circus_core.daemon.left_behind import naming, sentence_of
from cvec_circus_core.daemon.logs import (
    END_LIMIT,
    gathering,
    join_priority,
    log_event,
    reopen,
    set_up,
    wait_written,
)
from cvec_circus_core.daemon.shutdown import Shutdown
from cvec_circus_core.daemon.state_files import take_state_file
from cvec_circus_core.engine import Engine, Parts
from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.registry import load_commands, load_formats
from cvec_circus_core.extend.sink import Sinks
from cvec_circus_core.hosting.classes import (
    PluginFacts,
    PluginNames,
    plugin_faults,
    use_faults,
)
from cvec_circus_core.hosting.placement import Hosts, assign, place, sockets_of, watcher_of
from cvec_circus_core.hosting.threads import PLUGIN_THREAD
from cvec_circus_core.model.errors import CircusError, ConfigError
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.values import Struct, replace
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.requests.audited import insider
from cvec_circus_core.runtime.daemon_host import NoDaemonHost
from cvec_circus_core.system.clock import unix_time
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
from cvec_circus_core.system.processes.local import (
    MakeOwner,
    choose_processes,
    local_owner,
    subreaper_processes,
)
from cvec_circus_core.system.processes.orphans import OrphanReaper
from cvec_circus_core.system.processes.priority import REALTIME_PRIORITY, Way, precedence
from cvec_circus_core.system.processes.process_table import child_pids
from cvec_circus_core.system.processes.state_file import NO_RECORD
from cvec_circus_core.system.service_manager import ServiceManager
from cvec_circus_core.system.signals import DaemonSignals
from cvec_circus_core.system.whole_files import ReadingThread, bounded, read_again, read_whole
from cvec_circus_core.system.working_dir import by_entrance, remember_entrance

log = logging.getLogger(__name__)

OK, FAILED = 0, 1
_OF_THE_LOG = frozenset({"loglevel", "logoutput", "loggerconfig"})
_GC_DEBUG = gc.DEBUG_UNCOLLECTABLE | gc.DEBUG_STATS
_DESCRIPTORS, _DESCRIPTORS_EACH = 500, 3
"""Our own and those of connections; and a process's end and its two pipes."""
_STOPPING = (
    *(signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU, signal.SIGTRAP),
    *(signal.SIGABRT, signal.SIGSYS),
    *(number for name in ("SIGPWR", "SIGSTKFLT") if (number := getattr(signal, name, None))),
    *(range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else ()),
)
"""All that would end a program which does not handle them, and that nobody sends for less."""
_MEAN_NOTHING = (signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO)
"""Signals that nobody should send, and that would end a program which does not handle them."""


class Flags(Struct, frozen=True):
    """What the command line says; None where it says nothing."""

    config: str
    skip_bad: bool = False
    background: bool = False
    pidfile: str | None = None
    loglevel: str | None = None
    logoutput: str | None = None
    loggerconfig: str | None = None

    @classmethod
    def entered(cls, config: str, environ: Mapping[str, str], **others: Any) -> Flags:
        """Return flags whose file is found by the name of the folder that we came through."""
        remember_entrance()
        return cls(by_entrance(config, environ), **others)

    def over(self, loaded: Loaded) -> Loaded:
        """Return the configuration with what the command line overrides."""
        names = ("pidfile", "loglevel", "logoutput", "loggerconfig")
        values: dict[str, Any] = {name: getattr(self, name) for name in names}
        chosen = {name: value for name, value in values.items() if value is not None}
        chosen["skip_bad"] = self.skip_bad or loaded.arbiter.skip_bad
        return replace(loaded, arbiter=replace(loaded.arbiter, **chosen))


def read(
    flags: Flags,
    environ: Mapping[str, str],
    *,
    thoroughly: bool = False,
    read_file: ReadFile = read_whole,
) -> Loaded:
    """Read and check the configuration. Raises `BadConfig` with everything that is wrong.

    A plugin that can not be found is a mistake. Its options are looked at where it is to run in a
    thread of ours. ``thoroughly`` looks at those of the others, too; imports, in child processes,
    what the file names; looks for the accounts and folders that are named; and leaves nothing out.
    Keys are read, so that bad ones are told before anything is done; that is a `ConfigError`.
    """
    streams: FindStreamFaults = Sinks().faults
    plugins: FindPluginFaults = _faults_of_threads
    around: FindFaultsAround = take_anything
    if thoroughly:
        look = import_module("cvec_circus_core.daemon.preflight").Preflight()
        streams, plugins, around = look.stream_faults, look.plugin_faults, look.faults_around
    loaded = load(flags.config, load_formats(), environ, streams, plugins, around, read_file)
    good = flawless(loaded) if thoroughly else accepted(loaded, skip_bad=flags.skip_bad)
    if good.arbiter.curve_key is not None:
        read_keys = import_module("cvec_circus_core.system.key_files").daemon_keys
        read_keys(good.arbiter.curve_key, good.arbiter.curve_authorized)
    return flags.over(good)


def _read_with(flags: Flags, saved_text: str) -> Loaded:
    """Read the configuration with this in the place of what was saved. Raises `BadConfig`."""
    loaded = load(flags.config, load_formats(), os.environ, Sinks().faults, saved_text=saved_text)
    return accepted(loaded, skip_bad=flags.skip_bad)


def _faults_of_threads(plugin: PluginSpec) -> Iterator[Fault]:
    if plugin.active:
        yield from use_faults(plugin)
    if assign([plugin], PluginNames.installed()).threads[:1] == (plugin,):
        # One that can not be loaded is missed by nobody else, and says so when it is started.
        faults = plugin_faults(plugin.use, plugin.options)
        yield from (fault for fault in faults if fault.key != "use")


class Place:
    """The process around the daemon: its own."""

    is_kept = False
    """Whether a keeper has the children, and will have them after us."""

    def __init__(self, owner: MakeOwner, caller: WaitingCaller = NOBODY_WAITS) -> None:
        self.owner = owner
        self._caller = caller
        self._manager = ServiceManager.from_environment()
        self._since = unix_time()

    def ready(self) -> None:
        """Tell everybody who waits."""
        self._caller.ready()
        self._manager.ready()
        self._manager.watched(asyncio.get_running_loop(), self._manager.going_on)

    def failed(self, message: str) -> None:
        """Tell who waits in the foreground."""
        self._caller.failed(message)

    def stopping(self) -> None:
        """Tell the service manager."""
        self._manager.stopping()

    def facts(self) -> Mapping[str, object]:
        """Return what the daemon is and runs."""
        python = sys.executable
        return {"pid": os.getpid(), "version": __version__, "python": python, "since": self._since}

    async def upgrade(self, venv: str | None, watch: float, limit: float) -> Mapping[str, object]:
        """Refuse: it would take the processes along."""
        return await NoDaemonHost().upgrade(venv, watch, limit)

    def in_force(self, loaded: Loaded, options: ArbiterSpec) -> None:
        """Be told which configuration is in force, with the daemon's present options."""


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
        state = take_state_file(loaded, flags.config, os.environ, partial(set_up, spec))
        if spec.keeper:
            wait_written(END_LIMIT)
            become_keeper(again, caller, pidfile, state)
        if state is not None:
            stack.callback(state.release)
        # Process 1 of a container is given every orphan without asking.
        make = subreaper_processes if _is_given_orphans() else choose_processes
        place = Place(local_owner(make, state or NO_RECORD), caller)
        return serve(flags, loaded, place)


def serve(flags: Flags, loaded: Loaded, place: Place) -> int:
    """Run the daemon in its place until its end; return the exit code. Raises `CircusError`."""
    spec = loaded.arbiter
    set_up(spec)
    _tell(loaded)
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


def _tell(loaded: Loaded) -> None:
    for warning in loaded.warnings:
        log.warning("%s", warning)
    for sentence in sentences_of_left_out(loaded):
        log.error("%s", sentence)


async def _run(flags: Flags, loaded: Loaded, place: Place) -> str | None:
    """Run until the end, and return what failed where that brought it about."""
    last_read = whole = loaded

    def take(reading: Loaded) -> Configuration:
        nonlocal last_read, whole
        last_read = reading
        _tell(last_read)
        hosts = _hosts(last_read, hooks)
        doubts = tuple(torn(whole, last_read))
        if not doubts:
            whole = last_read
        configuration = _configuration(last_read, hosts, inner).without(engine.unbound)
        return replace(configuration, doubts=doubts)

    thread = ReadingThread()

    async def read_config() -> Configuration:
        with _refusing_to_wait(flags):
            return take(await thread.run(partial(_read_anew, flags)))

    def configure() -> Configuration:
        with _refusing_to_wait(flags):
            return take(bounded(partial(_read_anew, flags)))

    def note_in_force() -> None:
        place.in_force(last_read, engine.supervisor.spec)

    inner = InternalEndpoints()
    hooks = Hooks.installed()
    parts = Parts(
        commands=load_commands(),
        hooks=hooks,
        configure=configure,
        read_config=read_config,
        apply_options=_apply_options,
        inner=inner,
        launcher=Launcher(sealed=True),
        owner=place.owner,
        applied=note_in_force,
        daemon_host=place,
        saved=SavedFile(flags.config, partial(_read_with, flags), thread),
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(gathering())
        hosts = _hosts(loaded, hooks)
        engine = Engine(_configuration(loaded, hosts, inner), parts)
        stack.push_async_callback(engine.close)
        engine.bus.listen("log", log_event)
        log.info("Starting master on pid %d", os.getpid())
        abandoned = () if place.is_kept else find_abandoned()
        if left_behind := sentence_of(abandoned, loaded.watchers):
            log.warning("%s", left_behind)
        way = precedence.take(loaded.arbiter.nice, realtime=loaded.arbiter.realtime)
        with naming(abandoned, loaded.watchers):
            engine.serve(REALTIME_PRIORITY if way is Way.REALTIME else None)
        precedence.spread()
        join_priority()
        ending = Shutdown(engine)
        stack.callback(_hear_signals(engine, ending, reaps=not place.is_kept))
        engine.host(hosts.threads)
        note_in_force()
        engine.begin()
        engine.started()
        log.info("Arbiter now waiting for commands")
        place.ready()
        await ending.wait()
        place.stopping()
    log.info("Everything is stopped, bye")
    return engine.failure


def _read_anew(flags: Flags) -> Loaded:
    return read(flags, os.environ, read_file=read_again)


@contextmanager
def _refusing_to_wait(flags: Flags) -> Iterator[None]:
    """Raise `ConfigError` where reading takes too long."""
    try:
        yield
    except TimeoutError as error:
        raise ConfigError(f"{flags.config} can not be read: {error.strerror}") from None


def _is_given_orphans() -> bool:
    return become_subreaper() or os.getpid() == 1


def _hear_signals(engine: Engine, ending: Shutdown, *, reaps: bool) -> Callable[[], None]:
    """Let Unix signals act by the port that commands use; return what ends that.

    ``reaps`` says that orphans are given to us.
    """
    inherited = child_pids(os.getpid())
    orphans = OrphanReaper(engine.loop, engine.processes.__contains__, inherited)
    signals = DaemonSignals(engine.loop)
    signals.install(
        {
            **{number: partial(ending.ask, number) for number in _STOPPING},
            signal.SIGHUP: partial(_reload, engine),
            signal.SIGUSR1: partial(_reopen, engine),
            **({signal.SIGCHLD: orphans.child_died} if reaps else {}),
            **{number: partial(_wonder, number) for number in _MEAN_NOTHING},
        }
    )

    def end() -> None:
        orphans.close()
        signals.restore()

    return end


def _wonder(number: signal.Signals) -> None:
    log.info("%s means nothing here; circusctl has all commands", number.name)


def _reload(engine: Engine) -> None:
    log.info("SIGHUP: reloading everything")
    reopen()
    engine.mend_endpoints()
    surface = engine.seen_by(insider("SIGHUP"))
    surface.reopen_all()
    surface.reload_all()


def _reopen(engine: Engine) -> None:
    log.info("SIGUSR1: opening the log and the files of all streams anew")
    reopen()
    engine.mend_endpoints()
    engine.seen_by(insider("SIGUSR1")).reopen_all()


def _apply_options(spec: ArbiterSpec, keys: tuple[str, ...]) -> None:
    """Live by options that reloadconfig has brought. Raises `ConfigError`."""
    if _OF_THE_LOG.intersection(keys):
        set_up(spec)
    if "debug_gc" in keys:
        gc.set_debug(_GC_DEBUG if spec.debug_gc else 0)


def _hosts(loaded: Loaded, hooks: Hooks) -> Hosts:
    watchers = [watcher.name for watcher in loaded.watchers]
    return place(loaded.plugins, hooks, loaded.arbiter, watchers, PluginNames.installed())


def _configuration(loaded: Loaded, hosts: Hosts, inner: InternalEndpoints) -> Configuration:
    spec = loaded.arbiter
    facts = PluginFacts(
        *inner.endpoints(spec),
        spec.check_delay,
        daemon_pid=os.getpid(),
        daemon_id=inner.daemon_id,
    )
    plugins = (watcher_of(each, facts, spec, has_sockets=True) for each in hosts.processes)
    watchers = (*loaded.watchers, *plugins)
    brought = sockets_of(hosts.processes, (socket.name for socket in loaded.sockets))
    sockets = (*loaded.sockets, *brought)
    return Configuration(spec, watchers, sockets, tuple(hosts.threads), brought)
