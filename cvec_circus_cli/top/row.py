"""One row of a list: what it stands for, and the values that it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

Value = float | str | tuple[float, ...] | None


class Sheet(Enum):
    """What is listed."""

    PROCESSES = "processes"
    SOCKETS = "sockets"


class Branch(Enum):
    """Where a row hangs in the tree."""

    NONE = ""
    OPEN = "open"
    FOLDED = "folded"
    FORK = "fork"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what it stands for, where it hangs, and its values by column."""

    id: str
    values: Mapping[str, Value]
    watcher: str = ""
    pid: int | None = None
    depth: int = 0
    branch: Branch = Branch.NONE
    count: int = 0
    """How many processes a watcher has."""
