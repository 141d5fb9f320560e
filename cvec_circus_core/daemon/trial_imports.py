"""What others wrote and a configuration names, imported to see whether that can be done.

To import is to run, so it is done in child processes (`system/processes/trial.py`): for hooks and
streams such as the daemon would be, for a plugin one with the account, the environment, the folder
and the import path that its section gives. What is not found at all is told elsewhere, as a doubt;
here it is there, and what hinders it is a mistake.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cvec_circus_core.extend.needed_options import missing_options
from cvec_circus_core.extend.sink import Sinks, is_installed_stream
from cvec_circus_core.hosting.classes import plugin_faults, trial_faults
from cvec_circus_core.model.errors import CircusError, SystemProblem
from cvec_circus_core.model.faults import Fault
from cvec_circus_core.model.socket_specs import PluginSpec
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.launch import SpawnEnvironment, prepare
from cvec_circus_core.runtime.hook_calls import HookModules
from cvec_circus_core.system.accounts import Identity, identity
from cvec_circus_core.system.deadline import Deadline
from cvec_circus_core.system.processes.trial import Died, Hung, results
from cvec_circus_core.system.virtualenvs import site_packages

EACH, ALL = 10.0, 60.0
"""Seconds that one thing may take, and that all of them may."""

Look = Callable[[], Iterable[Fault]]


class TrialImports:
    """The imports of one check."""

    def __init__(self, each: float = EACH, limit: float = ALL) -> None:
        self._each = each
        self._deadline = Deadline(limit)

    def hooks(self, spec: WatcherSpec, names: Sequence[str]) -> Iterator[Fault]:
        """Find out which of a watcher's hooks can not be called."""
        path = [folder for folder in spec.env.get("PYTHONPATH", "").split(os.pathsep) if folder]
        looks: dict[str, Look] = {
            f"hooks.{name}": partial(
                _hook_faults, f"hooks.{name}", str(spec.hooks[name].call), path
            )
            for name in names
        }
        for fault in self._try(looks):
            is_harmless = spec.hooks[fault.key.removeprefix("hooks.")].ignore_failure
            yield Fault(fault.key, fault.sentence, is_doubt=fault.is_doubt or is_harmless)

    def stream(self, settings: Mapping[str, Any]) -> Iterator[Fault]:
        """Find what is wrong with the settings of a stream. Those that are installed are loaded."""
        name = settings.get("class")
        if not isinstance(name, str) or "stream" in settings or is_installed_stream(name):
            yield from Sinks().faults(settings)
        else:
            yield from self._try({"class": partial(_stream_faults, settings)})

    def plugin(self, plugin: PluginSpec) -> Iterator[Fault]:
        """Find out why the class of a plugin can not be had, or not with its options."""
        watcher = plugin.watcher
        if watcher.executable:
            return  # another Python, of which nothing is known here
        try:
            runs_as = identity(watcher.uid, watcher.gid)
            plan = prepare(replace(watcher, cmd="plugin"), _around()).plan
        except (CircusError, ValueError):
            return  # as is told of its option
        look = partial(_plugin_faults, plugin, plan.env, plan.working_dir)
        yield from self._try({"use": look}, runs_as)

    def _try(self, looks: Mapping[str, Look], runs_as: Identity | None = None) -> Iterator[Fault]:
        """Yield what each look finds, or that it has no end, or a bad one."""
        if not self._deadline.left():
            for key in looks:
                yield Fault(key, "was not tried: the others took too long", is_doubt=True)
            return
        seconds = min(self._each, self._deadline.left())
        work = [partial(_as_json, key, look) for key, look in looks.items()]
        for key, result in zip(looks, results(work, seconds, runs_as), strict=True):
            match result:
                case Hung():
                    sentence = f"has not been imported in {seconds:.0f} s; it was not looked at"
                    yield Fault(key, sentence, is_doubt=True)
                case Died():
                    yield Fault(key, "ends the process that imports it")
                case _:
                    for key_, sentence, allowed, is_secret, is_doubt in result:
                        yield Fault(key_, sentence, allowed, is_secret=is_secret, is_doubt=is_doubt)


def _as_json(key: str, look: Look) -> list[tuple[str, str, str, bool, bool]]:
    try:
        faults = list(look())
    except BaseException as error:  # also SystemExit, which a module may raise
        faults = [Fault(key, f"can not be imported: {type(error).__name__}: {error}")]
    return [
        (fault.key, fault.sentence, fault.allowed, fault.is_secret, fault.is_doubt)
        for fault in faults
    ]


def _hook_faults(key: str, call: str, path: Iterable[str]) -> Iterator[Fault]:
    try:
        HookModules().find(call, path)
    except SystemProblem:
        raise
    except CircusError as error:
        yield Fault(key, f"can not be called: {error}")


def _stream_faults(settings: Mapping[str, Any]) -> Iterator[Fault]:
    sinks = Sinks()
    faults = tuple(sinks.faults(settings))
    yield from faults
    if not faults:
        yield from _needed("class", sinks.stream_class(settings), settings)


def _plugin_faults(
    plugin: PluginSpec, env: Mapping[str, str], working_dir: str | None
) -> Iterator[Fault]:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(working_dir or ".")
    folders = [folder for folder in env.get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.path[:] = [*folders, *sys.path, os.getcwd()]
    faults = tuple(plugin_faults(plugin.use, plugin.options)) or tuple(
        trial_faults(plugin.use, plugin.options)
    )
    yield from faults


def _needed(key: str, maker: Callable[..., Any], options: Mapping[str, Any]) -> Iterator[Fault]:
    for name in missing_options(maker, options):
        yield Fault(key, f"reads the option {name}, which is not there", is_doubt=True)


def _around() -> SpawnEnvironment:
    return SpawnEnvironment(
        environ=dict(os.environ),
        working_dir=os.getcwd(),
        site_packages=site_packages,
        python=f"python{sys.version_info.major}.{sys.version_info.minor}",
    )
