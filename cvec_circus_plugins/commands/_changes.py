"""What was changed at run time, in replies and for people."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cvec_circus_core.api import Supervisor


def changes_as_json(supervisor: Supervisor) -> list[dict[str, Any]]:
    """Return what a reply tells of it."""
    return [
        {"name": change.watcher, "new": change.is_new, "options": dict(change.options)}
        for change in supervisor.runtime_changes()
    ]


def lines_of_changes(changes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each option."""
    for change in changes:
        if change["new"]:
            yield f"{change['name']}: is in no file"
        for key, value in change["options"].items():
            yield f"{change['name']}: {key} = {_shown(value)}"


def _shown(value: object) -> str:
    return str(value) if value is None or isinstance(value, dict) else text_of(value)


def text_of(value: object) -> str:
    """Return the value of an option as a file has it."""
    if isinstance(value, list | tuple):
        return shlex.join(map(str, value))
    return str(value)
