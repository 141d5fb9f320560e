"""What a configuration counts on and the machine may not have: accounts, files, free addresses.

For ``circusd --check`` alone. Most of it is a doubt, for it may be there when the daemon starts.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from shutil import which
from typing import Any, assert_never

from cvec_circus_core.config.checks import Spec
from cvec_circus_core.daemon.logger_config import read_loggerconfig
from cvec_circus_core.daemon.trial_imports import TrialImports
from cvec_circus_core.extend.dotted import first_missing
from cvec_circus_core.extend.sink import Sinks, is_installed_stream
from cvec_circus_core.hosting.classes import use_doubts, use_faults
from cvec_circus_core.model.errors import CannotBind, CircusError, ConfigError, SystemProblem
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.hook_specs import GATE
from cvec_circus_core.model.socket_specs import PluginSpec, SocketSpec
from cvec_circus_core.model.specs import ArbiterSpec, WatcherSpec
from cvec_circus_core.policy.launch import SpawnEnvironment, env_files
from cvec_circus_core.runtime.managed_sockets import bind_plan
from cvec_circus_core.system.accounts import gid_of, uid_of
from cvec_circus_core.system.env_files import EnvFiles
from cvec_circus_core.system.net.endpoint_files import listener_of, path_of
from cvec_circus_core.system.net.port_holders import holders_of_path
from cvec_circus_core.system.net.sockets import CircusSocket

_CONNECT_TIMEOUT = 1.0
_IPC = "ipc://"
_VARIABLES = ("$(", "((", "$WID")


class Preflight:
    """One thorough check; what is imported for it has a limit of time as a whole."""

    def __init__(self) -> None:
        self._imports = TrialImports()

    def faults_around(self, arbiter: ArbiterSpec, spec: Spec) -> Iterator[Fault]:
        """Find what is not there of what a spec names, or is not free."""
        match spec:
            case ArbiterSpec():
                yield from _around_daemon(spec)
            case SocketSpec():
                yield from _around_socket(arbiter, spec)
            case WatcherSpec():
                yield from _around_watcher(spec)
                yield from self._around_hooks(spec)
            case _:
                assert_never(spec)

    def stream_faults(self, settings: Mapping[str, Any]) -> Iterator[Fault]:
        """Find what is wrong with a stream."""
        yield from self._imports.stream(settings)

    def plugin_faults(self, plugin: PluginSpec) -> Iterator[Fault]:
        """Find what is wrong with a plugin that is to run."""
        if not plugin.active:
            return
        faults = (*use_faults(plugin), *use_doubts(plugin))
        yield from faults or self._imports.plugin(plugin)

    def _around_hooks(self, spec: WatcherSpec) -> Iterator[Fault]:
        path = [folder for folder in spec.env.get("PYTHONPATH", "").split(os.pathsep) if folder]
        present = []
        for name, hook in spec.hooks.items():
            if not isinstance(hook.call, str):
                continue
            missing = "" if hook.call.startswith(GATE) else first_missing(hook.call, path)
            if missing:
                sentence = f"can not be called: {missing} is not found"
                yield Fault(f"hooks.{name}", sentence, is_doubt=True)
            else:
                present.append(name)
        yield from self._imports.hooks(spec, present)


def _around_daemon(spec: ArbiterSpec) -> Iterator[Fault]:
    if spec.loggerconfig and spec.loggerconfig != "default":
        yield from _around_loggerconfig(spec.loggerconfig)
    endpoints = ("endpoint", "pubsub_endpoint", "stats_endpoint")
    files = {
        key: address.removeprefix(_IPC)
        for key in endpoints
        if (address := getattr(spec, key)) and address.startswith(_IPC)
    }
    if spec.endpoint_owner is not None:
        # An ipc endpoint could not be given to nobody; else there is nothing that it would hinder.
        yield from _unknown("endpoint_owner", uid_of, spec.endpoint_owner, is_doubt=not files)
    if spec.pidfile:
        files["pidfile"] = spec.pidfile
    if spec.logoutput != "-" and "://" not in spec.logoutput:
        files["logoutput"] = spec.logoutput
    for key, file in files.items():
        if not file.startswith("@"):
            yield from _missing_home(key, file)


def _around_socket(arbiter: ArbiterSpec, spec: SocketSpec) -> Iterator[Fault]:
    """Tell where its address is not free, unless a daemon runs here, which may have it already."""
    if _is_served(arbiter.endpoint) or spec.port == 0:
        return
    if spec.path is not None:
        yield from _around_socket_file(spec.path, replace=spec.replace)
        return
    try:
        with closing(CircusSocket.of(bind_plan(spec))) as probe:
            probe.bind_only()
    except CannotBind as error:
        sentence = str(error).removeprefix(f"[socket:{spec.name}] ")
        yield Fault("port", sentence, is_doubt=True)


def _around_socket_file(path: str, *, replace: bool) -> Iterator[Fault]:
    yield from _missing_home("path", path)
    try:
        is_there, pid = os.path.exists(path), listener_of(path)
    except OSError:
        is_there, pid = os.path.exists(path) and not replace, None
    if pid is not None:
        # Who called listen may be gone, and have left it to others.
        pid = next(iter(holders_of_path(path)), pid)
        who = f"process {pid}" if pid else "another process"
        yield Fault("path", f"is in use: {who} listens there", is_doubt=True)
    elif is_there and not replace and not stat.S_ISSOCK(os.stat(path).st_mode):
        yield Fault("path", "is the name of a file that is no socket", is_doubt=True)


def _is_served(endpoint: str) -> bool:
    """Tell whether somebody listens at an endpoint."""
    try:
        if (path := path_of(endpoint)) is not None:
            return listener_of(path) is not None
        host, _, port = endpoint.rpartition("://")[2].rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), _CONNECT_TIMEOUT):
            return True
    except (OSError, ValueError):
        return False


def _around_watcher(spec: WatcherSpec) -> Iterator[Fault]:
    for key, number_of, account in (("uid", uid_of, spec.uid), ("gid", gid_of, spec.gid)):
        if account is not None:
            yield from _unknown(key, number_of, account, is_doubt=True)
    for key, folder in (("working_dir", spec.working_dir), ("virtualenv", spec.virtualenv)):
        if folder and _is_plain(folder) and not os.path.isdir(folder):
            yield Fault(key, "is a folder that is not there", is_doubt=True)
    if spec.cmd and not (spec.shell or spec.virtualenv):
        yield from _missing_program(spec)
    if all(map(_is_plain, (*spec.env_file, spec.working_dir or ""))):
        try:
            EnvFiles().variables(env_files(spec, SpawnEnvironment(working_dir=os.getcwd())))
        except SystemProblem as error:
            yield Fault("env_file", str(error).removeprefix("env_file "), is_doubt=True)
    sinks = Sinks()
    for key in ("stdout_stream", "stderr_stream"):
        settings: Mapping[str, Any] = getattr(spec, key)
        if isinstance(file := settings.get("filename"), str):
            yield from _missing_home(f"{key}.filename", file)
        for doubt in _own_doubts(sinks, settings):
            yield Fault(f"{key}.{doubt.key}", doubt.sentence, is_doubt=True)


def _own_doubts(sinks: Sinks, settings: Mapping[str, Any]) -> Iterator[Fault]:
    # A stream of somebody else's is not made here.
    if is_installed_stream(str(settings.get("class", ""))):
        yield from sinks.doubts(settings)


def _missing_program(spec: WatcherSpec) -> Iterator[Fault]:
    key = "executable" if spec.executable else "cmd"
    try:
        name = spec.executable or spec.command_words[0]
    except ValueError:
        return  # its quotes do not match, which is told
    if not _is_plain(name + (spec.working_dir or "")):
        return
    if os.path.dirname(name):
        file = os.path.join(spec.working_dir or os.getcwd(), name)
        if os.path.isdir(file):
            yield Fault(key, f"names {name!r}, which is a folder", is_doubt=True)
        elif not os.path.isfile(file):
            yield Fault(key, f"names the program {name!r}, which is not there", is_doubt=True)
        elif not os.access(file, os.X_OK):
            yield Fault(key, f"names the file {name!r}, which may not be run", is_doubt=True)
        return
    path = spec.env.get("PATH", os.environ.get("PATH") if spec.copy_env else None) or os.defpath
    if _is_plain(path) and not which(name, path=path):
        yield Fault(
            key, f"names the program {name!r}, which is in no folder of PATH", is_doubt=True
        )


def _around_loggerconfig(path: str) -> Iterator[Fault]:
    try:
        read_loggerconfig(path)
    except ConfigError as error:
        yield Fault("loggerconfig", f"can not be used: {error}")


def _unknown(
    key: str, number_of: Callable[[int | str], int], account: int | str, *, is_doubt: bool
) -> Iterator[Fault]:
    try:
        number_of(account)
    except CircusError as error:
        yield Fault(key, f"can not be used: {error}", is_doubt=is_doubt)


def _missing_home(key: str, file: str) -> Iterator[Fault]:
    home = os.path.dirname(file)
    if home and _is_plain(home) and not os.path.isdir(home):
        yield Fault(key, "is in a folder that is not there", is_doubt=True)


def _is_plain(path: str) -> bool:
    return not any(variable in path for variable in _VARIABLES)
