"""Which files a watcher's command is made of, and whether they are what they were.

A file is known by where it really lies (a link may be turned to another release), by its inode (a
new file may have taken its name) and by when and how large it was written.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import Any

Fingerprint = tuple[str, int, int, int]


def fingerprint(path: Path) -> Fingerprint | None:
    """Return what a file is known by, or None where there is none."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return os.path.realpath(path), status.st_ino, status.st_mtime_ns, status.st_size


def program_files(options: Mapping[str, Any], *, with_arguments: bool) -> tuple[Path, ...]:
    """Return the program of a watcher, and where that is wanted the files among its arguments."""
    directory = working_dir(options)
    program, *arguments = _words(options) or [""]
    words = [word for word in (program, options.get("executable")) if word]
    candidates = (_program(str(word), directory, options) for word in words)
    files = [path for path in candidates if path is not None]
    if with_arguments:
        files += [path for word in arguments if os.path.isfile(path := directory / word)]
    return tuple(dict.fromkeys(files))


def working_dir(options: Mapping[str, Any]) -> Path:
    """Return where a watcher's processes start; where nothing is said, it is where we are."""
    return Path(str(options.get("working_dir") or os.getcwd()))


def _words(options: Mapping[str, Any]) -> list[str]:
    try:
        words = shlex.split(str(options.get("cmd") or ""))
        args = options.get("args") or ()
        return words + (shlex.split(args) if isinstance(args, str) else [str(arg) for arg in args])
    except ValueError:
        return []


def _program(word: str, directory: Path, options: Mapping[str, Any]) -> Path | None:
    if "/" in word:
        return directory / word
    env = options.get("env")
    path = env.get("PATH") if isinstance(env, Mapping) else None
    search_path = [str(path or os.environ.get("PATH") or os.defpath)]
    if virtualenv := options.get("virtualenv"):
        search_path.insert(0, str(directory / str(virtualenv) / "bin"))
    resolved = shutil.which(word, path=os.pathsep.join(search_path))
    return None if resolved is None else directory / resolved


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Which files below a directory count."""

    patterns: Sequence[str]
    """Those that match one of these; all, where there is none."""
    ignored: Sequence[str]

    def matches(self, path: PurePath) -> bool:
        """Tell whether a path, relative to the directory, counts."""
        if any(_matches(part, self.ignored) for part in (path, *path.parents)):
            return False
        return not self.patterns or _matches(path, self.patterns)

    def first_match(self, directory: Path, changed: Iterable[Path]) -> Path | None:
        """Return the first of the paths that counts, or is the directory itself."""
        for path in changed:
            if path == directory or (
                directory in path.parents and self.matches(path.relative_to(directory))
            ):
                return path
        return None


def _matches(path: PurePath, patterns: Iterable[str]) -> bool:
    return any(fnmatch(path.name, pattern) or fnmatch(str(path), pattern) for pattern in patterns)
