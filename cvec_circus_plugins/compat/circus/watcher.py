"""A watcher whose options are attributes that can be set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cvec_circus_core import Watcher as _Watcher
from cvec_circus_core.api import WatcherSpec, declared_families, option_names
from cvec_circus_core.runtime.hook_environment import HookEnvironment

_SETTABLE = frozenset(option_names(WatcherSpec)) | frozenset(declared_families(WatcherSpec))
_OWN = ("env", "args", "name")

Arguments = Sequence[str] | str | None


class Watcher(_Watcher):
    """Keeps a number of processes of one command running.

    What is set counts for processes that are started later.
    """

    def __init__(
        self, name: str, cmd: str, args: Arguments = None, *more: Any, **options: Any
    ) -> None:
        # The loop is the arbiter's, and what a program stops itself it has not to say.
        self._loop = options.pop("loop", None)
        self._given_args = args
        self._options = dict(_undeclared(options))
        super().__init__(name, cmd, args, *more, **options)

    @property
    def loop(self) -> object:
        """The loop that was given."""
        return self._loop

    @property
    def args(self) -> Any:
        """The arguments, in the form in which they were given."""
        return self._given_args

    @property
    def env(self) -> HookEnvironment:
        """The environment of its processes; what is written there counts for later ones."""
        return HookEnvironment(self.environment(), lambda env: self._set("env", env), self.spec.env)

    @property
    def pids(self) -> list[int]:
        """The pids of its processes."""
        return self.get_active_pids()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._options:
            return self._options[name]
        try:
            return getattr(self.spec, name)
        except AttributeError:
            raise AttributeError(f"a watcher has no {name}") from None

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _SETTABLE:
            object.__setattr__(self, name, value)
            return
        if name == "args":
            object.__setattr__(self, "_given_args", value)
        self._set(name, value)

    def _set(self, name: str, value: object) -> None:
        self.set_quietly({name: value})

    def __repr__(self) -> str:
        return f"<circus.Watcher name={self.name} numprocesses={self.numprocesses}>"


def _undeclared(options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    prefixes = tuple(family.prefix for family in declared_families(WatcherSpec).values())
    for key, value in options.items():
        if key not in _SETTABLE and not key.startswith(prefixes) and key != "prereload_fn":
            yield key, value
