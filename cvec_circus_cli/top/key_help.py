"""What the keys do, as it stands on the help page and in the line at the bottom."""

from __future__ import annotations

from collections.abc import Iterable

from cvec_circus_cli.top.glyphs import Pen
from cvec_circus_cli.top.lines import Line, Span, Tone, line
from cvec_circus_cli.top.row import Sheet
from cvec_circus_cli.top.view import Console, Help, Sure, Typing

LOOKING = (
    ("↑ ↓ PgUp PgDn Home End", "choose a row; Esc lets go of it"),
    ("Enter, Space, ← →", "fold a watcher or open it; * all of them"),
    ("/", "show what holds a text or has a pid; Esc: all again"),
    ("P M A T N I", "sort by CPU, memory, age, CPU time, name, pid"),
    ("< > R", "sort by the column beside; in the other direction"),
    ("t", "tree of watchers, or all processes in one list"),
    ("a", "a watcher's CPU: sum of its processes, or average"),
    ("v, Tab", "sockets, or processes"),
    ("d", "seconds between two pictures"),
    ("z", "freeze the picture, and go on"),
    ("q, Ctrl-C", "leave"),
)
ACTING = (
    ("s x r", "start, stop, restart the watcher"),
    ("+ -", "add a process, take one away"),
    ("k", "send a signal to the process, or to all of the watcher"),
)
READING = (
    "CPU% is of one core: two busy cores are 200. Shared memory counts each time.",
    "Bars share one scale; each history has its own, one column a sample.",
)
_KEY_COLUMN = 24


def lines(top: int, page: int, *, may_act: bool, pen: Pen) -> list[Line]:
    """Return the help page from some line on, as far as there is room."""
    lines = [line(Span(f" {'keys':<{_KEY_COLUMN}}", Tone.STRONG), Span("any other key goes back"))]
    lines += _table(LOOKING, pen)
    if may_act:
        lines += [line(Span(" on the chosen row, asked before it is done", Tone.STRONG))]
        lines += _table(ACTING, pen)
    lines += [line(Span(f" {sentence}", Tone.DIM)) for sentence in READING]
    return lines[min(top, max(0, len(lines) - page)) :][:page]


def hints(console: Console) -> Iterable[tuple[str, str]]:
    """Return the keys that the bottom line names: the ones that matter now."""
    match console.dialog:
        case Typing():
            return (("Enter", "done"), ("Esc", "give up"), ("Ctrl-U", "clear"))
        case Sure():
            return (("y", "yes, do it"), ("any other", "no"))
        case Help():
            return (("Up Down", "scroll"), ("any other", "back"))
    acting = (("s", "start"), ("x", "stop"), ("r", "restart"), ("+-", "processes"), ("k", "signal"))
    if console.view.sheet is Sheet.SOCKETS:
        return (("q", "quit"), ("?", "help"), ("/", "filter"), ("<>R", "sort"), ("v", "processes"))
    own = (("q", "quit"), ("?", "help"), ("/", "filter"))
    if console.may_act:
        return own + acting + (("PMAN", "sort"), ("v", "sockets"))
    return (
        *own,
        *(("PMAN", "sort"), ("Enter", "fold"), ("t", "tree"), ("v", "sockets"), ("d", "delay")),
    )


def _table(entries: Iterable[tuple[str, str]], pen: Pen) -> list[Line]:
    plain = str.maketrans({"↑": "Up", "↓": "Down", "←": "Left", "→": "Right"})
    lines = []
    for key, effect in entries:
        name = key if pen.cut == "…" else key.translate(plain)
        lines.append(line(Span(f" {name:<{_KEY_COLUMN}}", Tone.KEY), Span(effect)))
    return lines
