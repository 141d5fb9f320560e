"""Everything on the screen as lines: what is known, what is looked at, and how much room there is.

From the top: the title, the totals, how it stands with the daemon or how the list is sorted, the
titles of the columns, the rows, a line for messages and dialogs, a line of keys. Where the screen
is too low for all of them, the totals go first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from cvec_circus_cli.top import glyphs, key_help
from cvec_circus_cli.top.columns import (
    Column,
    cells,
    chosen_columns,
    columns_of,
    titles,
    with_content,
)
from cvec_circus_cli.top.glyphs import Pen
from cvec_circus_cli.top.keys import Scene
from cvec_circus_cli.top.lines import Line, Span, Tone, clean, cropped, line
from cvec_circus_cli.top.row import Row, Sheet
from cvec_circus_cli.top.rows import ASCENDING, extras_of, rows_of
from cvec_circus_cli.top.snapshot import Link, Snapshot
from cvec_circus_cli.top.view import Console, Help, Purpose, Sure, Typing, settled

LOW = 12
"""On a screen with fewer lines the totals are left out."""
_TOTAL_LABEL = 6
_TOTAL_NUMBER = 8


@dataclass(frozen=True, slots=True)
class Canvas:
    """What can be drawn on, and with what."""

    columns: int
    rows: int
    pen: Pen = glyphs.UNICODE
    cores: int | None = None
    """How many cores the machine has, where that is known."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All lines, the console with its place settled, and what the next key has to know."""

    lines: tuple[Line, ...]
    console: Console
    scene: Scene
    first_row: int
    """The number of the line with the first row."""


def picture(snapshot: Snapshot, link: Link, console: Console, canvas: Canvas) -> Picture:
    """Draw everything."""
    view = console.view
    rows = rows_of(snapshot, view)
    head = _head(snapshot, link, console, canvas)
    page = max(0, canvas.rows - len(head) - 3)
    view = settled(view, rows, page)
    filled = with_content(columns_of(view.sheet, extras_of(snapshot, view.sheet)), rows, view.sort)
    columns = chosen_columns(filled, canvas.columns)
    falls = (view.sort not in ASCENDING) is not view.is_reversed
    body = [line(*titles(columns, view.sort, falls=falls, pen=canvas.pen))]
    body[0] = Line((*body[0].spans, Span(" " * canvas.columns, Tone.HEAD)))
    if isinstance(console.dialog, Help):
        body += key_help.lines(console.dialog.top, page, may_act=console.may_act, pen=canvas.pen)
    else:
        body += _row_lines(rows, view.top, page, view.chosen, columns, canvas, _scale(rows))
        if not rows:
            body.append(line(Span(_nothing(snapshot, view.filter, view.sheet), Tone.DIM)))
    body = body[: page + 1]
    body += [Line()] * (page + 1 - len(body))
    foot = [_message(console), _keys(console)]
    lines = [*head, *body, *foot][: canvas.rows]
    sortable = tuple(column.name for column, _ in columns if not column.is_drawn)
    return Picture(
        tuple(cropped(text_line, canvas.columns) for text_line in lines),
        replace(console, view=view),
        Scene(rows, page, sortable),
        len(head) + 1,
    )


def _row_lines(
    rows: Sequence[Row],
    top: int,
    page: int,
    chosen: str | None,
    columns: Sequence[tuple[Column, int]],
    canvas: Canvas,
    scale: float,
) -> list[Line]:
    return [
        Line(tuple(cells(row, columns, canvas.pen, scale)), row.id == chosen)
        for row in rows[top : top + page]
    ]


def _scale(rows: Sequence[Row]) -> float:
    """Return the processor share at which all bars are full: a whole number of cores."""
    shares = [value for row in rows if isinstance(value := row.values.get("cpu"), int | float)]
    return _whole_cores(max(shares, default=0.0))


def _whole_cores(share: float) -> float:
    return max(100.0, -(-share // 100.0) * 100.0)


def _head(snapshot: Snapshot, link: Link, console: Console, canvas: Canvas) -> list[Line]:
    clock = datetime.fromtimestamp(snapshot.at, UTC).astimezone().strftime("%H:%M:%S")
    counts = f"{_plural(snapshot.watchers, 'watcher')}  {_plural(snapshot.processes, 'process')}"
    start = f" circus-top  {clean(link.endpoint)}"
    right = f"{counts}  {clock if snapshot.at else '--:--:--'} "
    title = start + " " * max(1, canvas.columns - len(start) - len(right)) + right
    lines = [Line((Span(title, Tone.TITLE), Span(" " * canvas.columns, Tone.TITLE)))]
    if canvas.rows >= LOW:
        full = 100.0 * canvas.cores if canvas.cores else _whole_cores(snapshot.cpu)
        lines.append(_total("CPU", snapshot.cpu, full, snapshot.cpu_history, canvas))
        lines.append(_total("MEM", snapshot.memory, 100.0, snapshot.memory_history, canvas))
    lines.append(_standing(link, console, canvas))
    return lines


def _total(
    label: str, value: float, full: float, history: tuple[float, ...], canvas: Canvas
) -> Line:
    room = max(0, canvas.columns - _TOTAL_LABEL - _TOTAL_NUMBER - 4)
    half = room // 2
    return line(
        Span(f" {label:<{_TOTAL_LABEL - 1}}", Tone.STRONG),
        *glyphs.bar(value / full, half, canvas.pen),
        Span(f"{glyphs.percent_text(value):>{_TOTAL_NUMBER - 1}}%  ", Tone.STRONG),
        glyphs.sparkline(history, room - half, canvas.pen),
    )


def _standing(link: Link, console: Console, canvas: Canvas) -> Line:
    if link.silent is not None:
        text = f" no answer from {clean(link.endpoint)}, trying again ({link.silent:.0f} s)"
        return line(Span(text, Tone.BAD))
    view = console.view
    parts = [
        "by worker average" if view.is_mean else "",
        "flat" if view.is_flat else "",
        f"filter {clean(view.filter)!r}" if view.filter else "",
        f"every {console.interval:g} s",
        "interactive" if console.may_act else "read-only",
    ]
    text = " " + ", ".join(part for part in parts if part)
    if console.is_frozen:
        return line(Span(text, Tone.DIM), Span(" (frozen: z goes on)", Tone.WARNING))
    return line(Span(text, Tone.DIM))


def _nothing(snapshot: Snapshot, wanted: str, sheet: Sheet) -> str:
    if wanted:
        return f" nothing matches {clean(wanted)!r}: Esc shows everything"
    if sheet is Sheet.SOCKETS:
        return " the daemon has no sockets"
    return " no watchers" if snapshot.at else " waiting for numbers"


def _message(console: Console) -> Line:
    match console.dialog:
        case Typing(purpose, text):
            hint = " (Enter: keep, Esc: give up)" if purpose is Purpose.FILTER else ""
            return line(Span(f" {purpose.value}: ", Tone.KEY), f"{clean(text)}_", hint)
        case Sure(act):
            return line(Span(f" really {act.text}? y/n ", Tone.WARNING))
    return line(Span(f" {clean(console.message)}", Tone.STRONG))


def _keys(console: Console) -> Line:
    spans: list[Span] = []
    for key, effect in key_help.hints(console):
        spans += [Span(f" {key}", Tone.KEY), Span(f" {effect} ")]
    return Line(tuple(spans))


def _plural(count: int, word: str) -> str:
    ending = "" if count == 1 else "es" if word.endswith("s") else "s"
    return f"{count} {word}{ending}"
