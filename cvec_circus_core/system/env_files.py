"""Files of environment variables such as ``.env``; python-dotenv knows their syntax.

A file is read again when it has changed. What it names by ``${NAME}`` is a line above it, or a
variable of the daemon's own environment.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from importlib import import_module
from io import StringIO
from typing import Any

from cvec_circus_core.model.errors import SystemProblem

_LARGEST = 1024 * 1024

_Stamp = tuple[int, int, int, int]


class EnvFiles:
    """The variables in the files of one watcher."""

    def __init__(self) -> None:
        self._stamps: tuple[tuple[str, _Stamp | None], ...] | None = None
        self._variables: Mapping[str, str] = {}

    def variables(self, files: Iterable[tuple[str, bool]]) -> Mapping[str, str]:
        """Return what these files have, later ones winning; the same object until one changes.

        Each path comes with whether the file may be missing. Raises `SystemProblem`.
        """
        stamps = tuple((path, _stamp(path, may_miss=may_miss)) for path, may_miss in files)
        if stamps != self._stamps:
            variables: dict[str, str] = {}
            for path, stamp in stamps:
                if stamp is not None:
                    variables.update(_read(path))
            self._stamps, self._variables = stamps, variables
        return self._variables


def _stamp(path: str, *, may_miss: bool) -> _Stamp | None:
    """Return what changes when a file does; None where it is missing and may be."""
    try:
        state = os.stat(path)
    except OSError as error:
        if may_miss and isinstance(error, FileNotFoundError | NotADirectoryError):
            return None
        raise _problem(path, error) from None
    if not stat.S_ISREG(state.st_mode):
        raise SystemProblem(f"env_file {path} is no regular file")
    if state.st_size > _LARGEST:
        raise SystemProblem(f"env_file {path} has more than {_LARGEST} bytes")
    return state.st_dev, state.st_ino, state.st_mtime_ns, state.st_size


def _read(path: str) -> dict[str, str]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LARGEST)
    except OSError as error:
        raise _problem(path, error) from None
    except UnicodeDecodeError:
        raise SystemProblem(f"env_file {path} is no UTF-8 text") from None
    if "\0" in text:
        raise SystemProblem(f"env_file {path} has a NUL character")
    # Loaded when it is needed: most daemons have no such file.
    dotenv: Any = import_module("dotenv")
    parser: Any = import_module("dotenv.parser")
    for binding in parser.parse_stream(StringIO(text)):
        if binding.error:
            raise SystemProblem(f"env_file {path}: line {binding.original.line} is no KEY=VALUE")
    values: Mapping[str, str | None] = dotenv.dotenv_values(stream=StringIO(text))
    return {name: value for name, value in values.items() if value is not None}


def _problem(path: str, error: OSError) -> SystemProblem:
    reason = (error.strerror or str(error)).lower()
    return SystemProblem(f"env_file {path} can not be read: {reason}")
