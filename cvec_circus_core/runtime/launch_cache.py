"""How the processes of a watcher start, worked out once for many starts."""

from __future__ import annotations

from collections.abc import Callable

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import replace
from cvec_circus_core.policy.launch import Launch, SpawnEnvironment, env_files, paths_of, prepare
from cvec_circus_core.system.env_files import EnvFiles


class LaunchCache:
    """The launch of the present spec in the present environment, until one of them changes."""

    def __init__(
        self, spec: Callable[[], WatcherSpec], around: Callable[[], SpawnEnvironment]
    ) -> None:
        self._spec = spec
        self._around = around
        self._launch: tuple[WatcherSpec, SpawnEnvironment, Launch] | None = None
        self._env_files = EnvFiles()
        self._with_env_file = (SpawnEnvironment(), SpawnEnvironment())
        """What all processes get, and the same with what env_file has."""

    def launch(self) -> Launch:
        """Return how processes of the present spec start, here and now.

        Raises ValueError, and `SystemProblem` where a file of variables can not be read.
        """
        spec, around = self._spec(), self._around()
        around = self._with_files(spec, around) if spec.env_file else around
        if self._launch is None or self._launch[0] is not spec or self._launch[1] is not around:
            self._launch = (spec, around, prepare(spec, around))
        return self._launch[2]

    def paths(self) -> tuple[str, ...]:
        """Return what is looked for on disk at a start."""
        try:
            return paths_of(self._spec(), self._around())
        except ValueError:
            return ()  # as is said where it is started

    def _with_files(self, spec: WatcherSpec, around: SpawnEnvironment) -> SpawnEnvironment:
        """Return what processes get, env_file included; the same object until something changes."""
        variables = self._env_files.variables(env_files(spec, around))
        known, with_files = self._with_env_file
        if known is not around or with_files.file_variables is not variables:
            self._with_env_file = (around, replace(around, file_variables=variables))
        return self._with_env_file[1]
