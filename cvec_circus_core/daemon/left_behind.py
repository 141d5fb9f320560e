"""What a start says of processes that a daemon before it has left behind."""

from __future__ import annotations

from collections.abc import Iterable

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.text import escaped
from cvec_circus_core.system.processes.abandoned import Abandoned

_MOST = 20
_LONGEST = 60


def sentence_of(abandoned: Iterable[Abandoned], watchers: Iterable[WatcherSpec]) -> str | None:
    """Return the sentence that names them, with the watcher whose command each runs if it is known.

    None where there is nobody to be named.
    """
    names: dict[tuple[str, ...], list[str]] = {}
    for watcher in watchers:
        names.setdefault(_command_of(watcher), []).append(watcher.name)
    each = [f"{process.pid} ({_label(process, names)})" for process in abandoned]
    if not each:
        return None
    more = f" and {len(each) - _MOST} more" if len(each) > _MOST else ""
    return (
        "still running, left behind by a circusd that was killed; nobody watches them: "
        f"{', '.join(each[:_MOST])}{more}"
    )


def _label(process: Abandoned, names: dict[tuple[str, ...], list[str]]) -> str:
    same = names.get(process.words, []) if process.words else []
    return f"watcher {same[0]}" if len(same) == 1 else escaped(" ".join(process.words), _LONGEST)


def _command_of(watcher: WatcherSpec) -> tuple[str, ...]:
    try:
        return () if watcher.shell else tuple(watcher.command_words)
    except ValueError:
        return ()
