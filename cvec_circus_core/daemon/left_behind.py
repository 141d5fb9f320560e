"""What a start says of processes that a daemon before it has left behind.

They carry a mark that says no more than that a daemon has started them. Which watcher of ours they
could be is told by their command line, a variable in it standing for anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.text import escaped
from cvec_circus_core.system.processes.abandoned import Abandoned

_MOST = 20
_LONGEST = 60
_VARIABLE = re.compile(r"(?i:\$\(circus\.[\w.\-]+\)|\(\(circus\.[\w.\-]+\)\))|\$WID(?!\w)")
_NUMBER = re.compile(r"\d+")

Names = Sequence[tuple[str, tuple[str, ...]]]
"""The names of watchers, and the words of their command lines."""


def sentence_of(abandoned: Iterable[Abandoned], watchers: Iterable[WatcherSpec]) -> str | None:
    """Return the sentence that names them, with the watcher whose command each runs if it is known.

    None where there is nobody to be named.
    """
    names = _names(watchers)
    each = [f"{process.pid} ({_label(process, names)})" for process in abandoned]
    if not each:
        return None
    more = f" and {len(each) - _MOST} more" if len(each) > _MOST else ""
    return (
        "still running, left behind by a circusd that was killed; nobody watches them: "
        f"{', '.join(each[:_MOST])}{more}; kill PID ends one"
    )


@contextmanager
def naming(abandoned: Iterable[Abandoned], watchers: Iterable[WatcherSpec]) -> Iterator[None]:
    """Say of which watcher they seem to be that keep us from a bind. Raises `CannotBind`."""
    try:
        yield
    except CannotBind as error:
        pids = set(map(int, _NUMBER.findall(str(error))))
        names = _names(watchers)
        labels = [(process.pid, _watcher(process, names)) for process in abandoned]
        known = [f"{pid} is of watcher {name}" for pid, name in labels if name and pid in pids]
        if not known:
            raise
        raise CannotBind(f"{error} (by the command, {', '.join(known)})") from None


def _names(watchers: Iterable[WatcherSpec]) -> Names:
    return [(watcher.name, words) for watcher in watchers if (words := _command_of(watcher))]


def _label(process: Abandoned, names: Names) -> str:
    # Another daemon may have had the same command: it is a hint, and no more.
    name, line = _watcher(process, names), escaped(" ".join(process.words), _LONGEST)
    return f"{line}, the command of watcher {name}" if name else line


def _watcher(process: Abandoned, names: Names) -> str | None:
    same = [name for name, words in names if _is_run_by(process.words, words)]
    return same[0] if len(same) == 1 else None


def _is_run_by(words: Sequence[str], command: Sequence[str]) -> bool:
    """Tell whether a process runs a command, itself or by the interpreter of a script."""
    extra = len(words) - len(command)
    if not 0 <= extra <= 1:
        return False
    program, *arguments = words[extra:]
    if "/" not in command[0]:
        program = os.path.basename(program)
    return all(map(_fits, (program, *arguments), command))


def _fits(word: str, text: str) -> bool:
    first, *others = _VARIABLE.split(text)
    if not others:
        return word == first
    end = len(word) - len(others[-1])
    at = len(first)
    for part in others[:-1]:
        if (at := word.find(part, at)) < 0:
            return False
        at += len(part)
    return word.startswith(first) and word.endswith(others[-1]) and at <= end


def _command_of(watcher: WatcherSpec) -> tuple[str, ...]:
    try:
        return () if watcher.shell else tuple(watcher.command_words)
    except ValueError:
        return ()
