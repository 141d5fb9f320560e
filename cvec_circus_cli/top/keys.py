"""A key is pressed: what is looked at changes, or something is wished for. Nothing is done here.

A key is the character that it writes, or a word of more than one letter: up, enter, escape. Where a
dialog is open, it gets the keys. Whatever acts on the daemon has to be confirmed by y, which is
asked about the row that was chosen when the key was pressed, however the rows move meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from cvec_circus_cli.top.lines import clean
from cvec_circus_cli.top.row import Branch, Row, Sheet
from cvec_circus_cli.top.snapshot import DAEMON
from cvec_circus_cli.top.view import (
    Act,
    Console,
    Help,
    Purpose,
    Sure,
    Typing,
    View,
    chosen_row,
    moved,
    settled,
)
from cvec_circus_core import api


class Wish(Enum):
    """What the console can not do by itself, beside acts."""

    QUIT = auto()


@dataclass(frozen=True, slots=True)
class Scene:
    """What is on the screen when a key is pressed."""

    rows: Sequence[Row]
    page: int
    """How many rows fit."""
    sortable: Sequence[str] = ()
    """The columns that are shown, from left to right."""


Answer = tuple[Console, Wish | Act | None]

FASTEST, SLOWEST = 0.1, 3600.0
SORTS = {"P": "cpu", "M": "memory", "A": "age", "T": "time", "N": "name", "I": "pid"}
READ_ONLY = "this console only looks: circus-top --interactive may act"
NOTHING_CHOSEN = "choose a watcher or a process with the arrow keys first"


def press(console: Console, key: str, scene: Scene) -> Answer:
    """Return the console after a key, and what is wished for."""
    if key in ("ctrl+c", "f10"):
        return console, Wish.QUIT
    match console.dialog:
        case Typing():
            return _typed(console, console.dialog, key, scene)
        case Sure(act):
            sure = key in ("y", "Y")
            message = f"{act.text} …" if sure else "nothing was done"
            return replace(console, dialog=None, message=message), act if sure else None
        case Help(top):
            return _read(console, top, key), None
        case None:
            return _pressed(replace(console, message=""), key, scene)


def _pressed(console: Console, key: str, scene: Scene) -> Answer:
    if key == "q":
        return console, Wish.QUIT
    if key in ACTING:
        return _acted(console, key, scene), None
    if key in _TURNS:
        return _TURNS[key](console), None
    view = _looked(console.view, key, scene)
    return replace(console, view=view), None


def _looked(view: View, key: str, scene: Scene) -> View:
    """Return the view after a key that only changes what is looked at."""
    rows, page = scene.rows, max(1, scene.page)
    steps = {"up": -1, "down": 1, "pageup": -page, "pagedown": page}
    steps |= {"home": -len(rows), "end": len(rows)}
    if key in ("scrollup", "scrolldown"):
        top = max(0, view.top + (3 if key == "scrolldown" else -3))
        return settled(replace(view, chosen=None, top=top), rows, page)
    if key in steps:
        start = replace(view, top=len(rows) - 1) if key == "end" and not view.chosen else view
        return settled(moved(start, rows, steps[key]), rows, page)
    if key in SORTS and view.sheet is Sheet.PROCESSES:
        return _sorted(view, SORTS[key])
    if key in ("<", ">") and scene.sortable:
        return _sorted(view, _beside(view.sort, scene.sortable, 1 if key == ">" else -1))
    if key == "*":
        return _all_folded(view, rows)
    if key in ("enter", " ", "left", "right"):
        return _folded(view, rows, key)
    return view


def _sorted(view: View, column: str) -> View:
    return replace(view, sort=column, is_reversed=False)


def _beside(now: str, columns: Sequence[str], step: int) -> str:
    at = columns.index(now) if now in columns else -1
    return columns[(at + step) % len(columns)]


def _folded(view: View, rows: Sequence[Row], key: str) -> View:
    row = chosen_row(view, rows)
    if row is None or row.branch is Branch.NONE:
        return view
    is_folded = row.watcher in view.folded
    if is_folded and key != "left":
        return replace(view, folded=view.folded - {row.watcher})
    if not is_folded and key != "right":
        # Anyone who folds at a process stands on its watcher afterwards.
        index = next(n for n, one in enumerate(rows) if one.id == row.watcher)
        folded = view.folded | {row.watcher}
        return replace(view, folded=folded, chosen=row.watcher, index=index)
    return view


def _all_folded(view: View, rows: Sequence[Row]) -> View:
    if view.folded:
        return replace(view, folded=frozenset())
    row = chosen_row(view, rows)
    folded = frozenset(row.watcher for row in rows if row.branch is not Branch.NONE)
    return replace(view, folded=folded, chosen=row.watcher if row and row.watcher else view.chosen)


def _with(console: Console, view: View) -> Console:
    return replace(console, view=view)


def _other_sheet(console: Console) -> Console:
    if console.view.sheet is Sheet.SOCKETS:
        view = replace(console.view, sheet=Sheet.PROCESSES, sort="cpu")
    else:
        view = replace(console.view, sheet=Sheet.SOCKETS, sort="reads")
    return replace(console, view=replace(view, chosen=None, top=0, index=0, is_reversed=False))


def _unchosen(console: Console) -> Console:
    view = console.view
    view = replace(view, filter="") if view.chosen is None else replace(view, chosen=None)
    return replace(console, view=view)


_TURNS: dict[str, Callable[[Console], Console]] = {
    **dict.fromkeys(("?", "h", "f1"), lambda console: replace(console, dialog=Help())),
    **dict.fromkeys(("v", "tab"), _other_sheet),
    "R": lambda console: _with(
        console, replace(console.view, is_reversed=not console.view.is_reversed)
    ),
    "t": lambda console: _with(console, replace(console.view, is_flat=not console.view.is_flat)),
    "a": lambda console: _with(console, replace(console.view, is_mean=not console.view.is_mean)),
    "z": lambda console: replace(console, is_frozen=not console.is_frozen),
    "escape": _unchosen,
    "/": lambda console: replace(
        console, dialog=Typing(Purpose.FILTER, console.view.filter, console.view.filter)
    ),
    "d": lambda console: replace(console, dialog=Typing(Purpose.INTERVAL)),
}


def _typed(console: Console, dialog: Typing, key: str, scene: Scene) -> Answer:
    if key == "escape":
        given_up = _filtered(console, dialog.before, dialog)
        return replace(given_up, dialog=None), None
    if key == "enter":
        return _entered(replace(console, dialog=None), dialog), None
    text = dialog.text
    if key == "backspace":
        text = text[:-1]
    elif key == "ctrl+u":
        text = ""
    elif len(key) == 1:
        text += key
    typed = _filtered(console, text, dialog)
    return replace(typed, dialog=replace(dialog, text=text)), None


def _filtered(console: Console, text: str, dialog: Typing) -> Console:
    """Return the console with what is typed in force, where that shows at once."""
    if dialog.purpose is not Purpose.FILTER:
        return console
    return replace(console, view=replace(console.view, filter=text, top=0))


def _entered(console: Console, dialog: Typing) -> Console:
    match dialog.purpose:
        case Purpose.FILTER:
            return console
        case Purpose.INTERVAL:
            return _with_interval(console, dialog.text)
        case Purpose.SIGNAL:
            return _with_signal(console, dialog)


def _with_interval(console: Console, text: str) -> Console:
    if not text:
        return console
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not FASTEST <= seconds <= SLOWEST:
        text = f"seconds are a number from {FASTEST:g} to {SLOWEST:g}, not {text!r}"
        return replace(console, message=text)
    return replace(console, interval=seconds, message=f"a new picture every {seconds:g} s")


def _read(console: Console, top: int, key: str) -> Console:
    if key in ("down", "pagedown", "scrolldown"):
        return replace(console, dialog=Help(top + (1 if key == "down" else 10)))
    if key in ("up", "pageup", "scrollup"):
        return replace(console, dialog=Help(max(0, top - (1 if key == "up" else 10))))
    return replace(console, dialog=None)


_TEXTS = {"incr": "add a process to", "decr": "take a process from"}
ACTING = {"s": "start", "x": "stop", "r": "restart", "+": "incr", "-": "decr", "k": "signal"}


def _acted(console: Console, key: str, scene: Scene) -> Console:
    if not console.may_act:
        return replace(console, message=READ_ONLY)
    row = chosen_row(console.view, scene.rows)
    if row is None or not row.watcher:
        return replace(console, message=NOTHING_CHOSEN)
    if row.watcher == DAEMON:
        return replace(console, message="that is the daemon itself: see circusctl quit")
    command = ACTING[key]
    if command == "signal":
        return replace(console, dialog=Typing(Purpose.SIGNAL, "TERM", target=row))
    text = _TEXTS.get(command, f"{command} the watcher")
    act = Act(command, (("name", row.watcher),), f"{text} {clean(row.watcher)}")
    return replace(console, dialog=Sure(act))


def _with_signal(console: Console, dialog: Typing) -> Console:
    row = dialog.target
    if row is None:
        return console
    try:
        number = api.read_signal(dialog.text)
    except ValueError:
        text = f"a signal is a name such as HUP or a number, not {dialog.text!r}"
        return replace(console, message=text)
    name = api.signal_name(number)
    properties: tuple[tuple[str, str | int], ...] = (("name", row.watcher), ("signum", number))
    if row.pid is None:
        whom = f"all processes of {clean(row.watcher)}"
    else:
        whom = f"process {row.pid} of {clean(row.watcher)}"
        properties = (*properties, ("pid", row.pid))
    return replace(console, dialog=Sure(Act("signal", properties, f"send {name} to {whom}")))
