"""What somebody looks at, apart from what there is to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from cvec_circus_cli.top.row import Row, Sheet


@dataclass(frozen=True, slots=True)
class View:
    """Which rows are wanted, in which order, and where among them somebody is.

    A row is chosen by what it is, not by its place: where the order changes, a user who is about to
    stop a process still means that one. As long as nothing is chosen the top of the list is shown.
    """

    sheet: Sheet = Sheet.PROCESSES
    sort: str = "cpu"
    is_reversed: bool = False
    filter: str = ""
    folded: frozenset[str] = frozenset()
    is_flat: bool = False
    is_mean: bool = False
    chosen: str | None = None
    index: int = 0
    top: int = 0


class Purpose(Enum):
    """What a line is typed for."""

    FILTER = "filter"
    INTERVAL = "seconds between two pictures"
    SIGNAL = "signal"


@dataclass(frozen=True, slots=True)
class Act:
    """A request to the daemon, and how it is called in front of people."""

    command: str
    properties: tuple[tuple[str, str | int], ...]
    text: str


@dataclass(frozen=True, slots=True)
class Typing:
    """A line is being typed; ``before`` comes back where that is given up."""

    purpose: Purpose
    text: str = ""
    before: str = ""
    target: Row | None = None


@dataclass(frozen=True, slots=True)
class Sure:
    """Somebody is asked whether this is really meant."""

    act: Act


@dataclass(frozen=True, slots=True)
class Help:
    """The keys are explained."""

    top: int = 0


@dataclass(frozen=True, slots=True)
class Console:
    """Everything that keys change."""

    view: View = View()
    dialog: Typing | Sure | Help | None = None
    message: str = ""
    interval: float = 1.0
    is_frozen: bool = False
    may_act: bool = False


def settled(view: View, rows: Sequence[Row], page: int) -> View:
    """Return the view with its place among these rows: on the chosen one, and in sight of it."""
    last = len(rows) - 1
    if view.chosen is None or last < 0:
        return replace(view, chosen=None, index=0, top=max(0, min(view.top, last + 1 - page)))
    found = next((n for n, row in enumerate(rows) if row.id == view.chosen), None)
    index = max(0, min(view.index, last)) if found is None else found
    top = max(0, min(view.top, index, last + 1 - page))
    if page > 0 and index >= top + page:
        top = index - page + 1
    return replace(view, chosen=rows[index].id, index=index, top=top)


def moved(view: View, rows: Sequence[Row], by: int) -> View:
    """Return the view with another row chosen; the first step chooses the first row in sight."""
    if not rows:
        return view
    index = view.top if view.chosen is None else view.index + by
    index = max(0, min(index, len(rows) - 1))
    return replace(view, chosen=rows[index].id, index=index)


def chosen_row(view: View, rows: Sequence[Row]) -> Row | None:
    """Return the row that is chosen."""
    return next((row for row in rows if row.id == view.chosen), None)
