"""The environment of a watcher's processes, as code sees it that may write there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cvec_circus_core.model.errors import BadMessage

Write = Callable[[dict[str, str]], object]
"""Sets the option ``env`` to something else."""


class HookEnvironment(dict[str, str]):
    """The variables that a new process would get; what is written counts for later processes.

    Raises `BadMessage` for what can not be written, and where a variable is to go that processes
    have from the daemon: only those of the watcher can be taken away.
    """

    def __init__(
        self, variables: Mapping[str, str], write: Write, own_variables: Mapping[str, str]
    ) -> None:
        super().__init__(variables)
        self._write = write
        self._own = dict(own_variables)

    def __setitem__(self, name: str, value: str) -> None:
        self.update({name: value})

    def update(self, *args: Any, **variables: Any) -> None:
        """Set some variables, all or none."""
        added = dict(*args, **variables)
        own_variables = {**self._own, **added}
        self._write(own_variables)
        self._own = own_variables
        super().update(added)

    def __ior__(self, other: Any) -> HookEnvironment:  # type: ignore[override,misc]
        self.update(other)
        return self

    def setdefault(self, name: str, default: str = "") -> str:
        """Return a variable; where it is not there, set it first."""
        if name not in self:
            self[name] = default
        return self[name]

    def __delitem__(self, name: str) -> None:
        self._take(name)
        super().__delitem__(name)

    def pop(self, name: str, *default: Any) -> Any:
        """Take a variable away and return what it was."""
        if name in self:
            self._take(name)
        return super().pop(name, *default)

    def popitem(self) -> tuple[str, str]:
        """Take the last variable away and return it."""
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        """Take all variables away, if they are the watcher's."""
        for name in tuple(self):
            del self[name]

    def _take(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        if name not in self._own:
            raise BadMessage(f"the variable {name} is the daemon's, and not the watcher's to take")
        own_variables = {key: value for key, value in self._own.items() if key != name}
        self._write(own_variables)
        self._own = own_variables
