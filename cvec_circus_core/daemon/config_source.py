"""Where the daemon's configuration comes from: the file, and the command line above it.

Plugins become watchers here, or are left to the threads of the daemon.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from cvec_circus_core.config.build import Loaded
from cvec_circus_core.config.load import (
    ReadFile,
    accepted,
    flawless,
    load,
    sentences_of_left_out,
    torn,
)
from cvec_circus_core.config.outside_faults import OutsideChecks
from cvec_circus_core.control.endpoints import InternalEndpoints
from cvec_circus_core.daemon.config_save import SavedFile
from cvec_circus_core.extend.hooks import Hooks
from cvec_circus_core.extend.registry import load_formats
from cvec_circus_core.extend.sink import Sinks
from cvec_circus_core.hosting.classes import (
    PluginFacts,
    PluginNames,
    plugin_faults,
    use_faults,
)
from cvec_circus_core.hosting.placement import assign, place, sockets_of, watcher_of
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.values import Struct, replace
from cvec_circus_core.policy.config_plan import Configuration
from cvec_circus_core.system.whole_files import ReadingThread, bounded, read_again, read_whole
from cvec_circus_core.system.working_dir import by_entrance, remember_entrance

log = logging.getLogger(__name__)


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
    outside = OutsideChecks(Sinks().faults, _faults_of_threads)
    if thoroughly:
        look = import_module("cvec_circus_core.daemon.preflight").Preflight()
        outside = OutsideChecks(look.stream_faults, look.plugin_faults, look.faults_around)
    loaded = load(flags.config, load_formats(), environ, outside, read_file)
    good = flawless(loaded) if thoroughly else accepted(loaded, skip_bad=flags.skip_bad)
    if good.arbiter.curve_key is not None:
        read_keys = import_module("cvec_circus_core.system.key_files").daemon_keys
        read_keys(good.arbiter.curve_key, good.arbiter.curve_authorized)
    return flags.over(good)


def _read_with(flags: Flags, saved_text: str) -> Loaded:
    """Read the configuration with this in the place of what was saved. Raises `BadConfig`."""
    outside = OutsideChecks(Sinks().faults)
    loaded = load(flags.config, load_formats(), os.environ, outside, saved_text=saved_text)
    return accepted(loaded, skip_bad=flags.skip_bad)


def _faults_of_threads(plugin: PluginSpec) -> Iterator[Fault]:
    if plugin.active:
        yield from use_faults(plugin)
    if assign([plugin], PluginNames.installed()).threads[:1] == (plugin,):
        # One that can not be loaded is missed by nobody else, and says so when it is started.
        faults = plugin_faults(plugin.use, plugin.options)
        yield from (fault for fault in faults if fault.key != "use")


class ConfigSource:
    """The configuration as it was read last, and read again when that is asked for."""

    def __init__(self, flags: Flags, loaded: Loaded, hooks: Hooks) -> None:
        self.last_read = loaded
        self.inner = InternalEndpoints()
        self._flags = flags
        self._whole = loaded
        self._hooks = hooks
        self._thread = ReadingThread()
        self.saved = SavedFile(flags.config, partial(_read_with, flags), self._thread)

    def first(self) -> Configuration:
        """Return the configuration to start with."""
        return self._configuration()

    def read_again(self) -> Configuration:
        """Read the configuration again. Raises `BadConfig` and `ConfigError`."""
        with self._refusing_to_wait():
            return self._take(bounded(self._read_anew))

    async def read_in_thread(self) -> Configuration:
        """Do the same while the loop goes on."""
        with self._refusing_to_wait():
            return self._take(await self._thread.run(self._read_anew))

    def _read_anew(self) -> Loaded:
        return read(self._flags, os.environ, read_file=read_again)

    @contextmanager
    def _refusing_to_wait(self) -> Iterator[None]:
        """Raise `ConfigError` where reading takes too long."""
        try:
            yield
        except TimeoutError as error:
            raise ConfigError(f"{self._flags.config} can not be read: {error.strerror}") from None

    def _take(self, reading: Loaded) -> Configuration:
        self.last_read = reading
        log_doubts(reading)
        doubts = tuple(torn(self._whole, reading))
        if not doubts:
            self._whole = reading
        return replace(self._configuration(), doubts=doubts)

    def _configuration(self) -> Configuration:
        loaded, spec = self.last_read, self.last_read.arbiter
        names = [watcher.name for watcher in loaded.watchers]
        hosts = place(loaded.plugins, self._hooks, spec, names, PluginNames.installed())
        facts = PluginFacts(
            *self.inner.endpoints(spec),
            spec.check_delay,
            daemon_pid=os.getpid(),
            daemon_id=self.inner.daemon_id,
        )
        plugins = (watcher_of(each, facts, spec, has_sockets=True) for each in hosts.processes)
        brought = sockets_of(hosts.processes, (socket.name for socket in loaded.sockets))
        return Configuration(
            spec,
            (*loaded.watchers, *plugins),
            (*loaded.sockets, *brought),
            tuple(hosts.threads),
            brought,
        )


def log_doubts(loaded: Loaded) -> None:
    """Log what is doubtful in a configuration, and what was left out of it."""
    for warning in loaded.warnings:
        log.warning("%s", warning)
    for sentence in sentences_of_left_out(loaded):
        log.error("%s", sentence)
