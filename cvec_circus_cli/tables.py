"""Tables for people, where standard output is a terminal."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cvec_circus_core.api import Table

    Show = Callable[[str], str]

RESET = "\x1b[0m"
BOLD = "\x1b[1m"
COLOURS = {
    "active": "\x1b[32m",
    "running": "\x1b[32m",
    "starting": "\x1b[33m",
    "stopping": "\x1b[33m",
    "stopped": "\x1b[31m",
    "failed": "\x1b[1;31m",
    "retrying": "\x1b[33m",
    "degraded": "\x1b[33m",
}
_USUAL_WIDTH, _NARROWEST = 80, 20
STATE = "STATE"
"""The title of a column whose words have the colour of a state."""


def tables_text(tables: Sequence[Table], *, colours: bool, show: Show = str) -> str:
    """Return tables with their columns aligned, an empty line between two.

    What stands in them, others have written: it is printed as ``show`` has it.
    """
    return "\n\n".join(_aligned(_shown(table, show), colours=colours) for table in tables)


def _shown(table: Table, show: Show) -> Table:
    rows = [tuple(show(cell) for cell in row) for row in table.rows]
    notes = {number: show(note) for number, note in table.notes.items()}
    return type(table)(table.titles, rows, table.numbers, notes)


def coloured_json(text: str) -> str:
    """Return indented JSON in colours: keys bold, texts green, numbers and words yellow."""
    return _JSON_TOKEN.sub(_coloured_token, text)


_JSON_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<plain>-?\d[\d.eE+-]*|true|false|null)'
)
_TOKEN_COLOURS = {"key": BOLD, "text": COLOURS["active"], "plain": COLOURS["starting"]}


def _coloured_token(match: re.Match[str]) -> str:
    return f"{_TOKEN_COLOURS[match.lastgroup or 'plain']}{match.group()}{RESET}"


def _aligned(table: Table, *, colours: bool) -> str:
    titles = table.titles
    widths = [
        max((len(row[column]) for row in (titles, *table.rows) if column < len(row)), default=0)
        for column in range(len(titles))
    ]
    first = _width_of_first(widths)
    is_long = len(titles) > 1 and first < widths[0]
    if is_long:
        widths[0] = max(len(row[0]) for row in (titles, *table.rows) if len(row[0]) <= first)
    head = _line(titles, table, widths).rstrip()
    lines = [f"{BOLD}{head}{RESET}" if colours else head]
    state = titles.index(STATE) if colours and STATE in titles else len(titles)
    for number, row in enumerate(table.rows):
        if is_long and len(row[0]) > widths[0]:
            lines.append(row[0])
            row = ("", *row[1:])
        if state < len(row) and row[state] in COLOURS:
            before = _line(row[:state], table, widths)
            end = len(before) + (2 if before else 0) + len(row[state])
            line = _line(row, table, widths)
            start = end - len(row[state])
            coloured = f"{COLOURS[row[state]]}{row[state]}{RESET}"
            lines.append((line[:start] + coloured + line[end:]).rstrip())
        else:
            lines.append(_line(row, table, widths).rstrip())
        lines.extend(_note_lines(table.notes.get(number, "")))
    return "\n".join(lines)


def _width_of_first(widths: Sequence[int]) -> int:
    """Return what the terminal leaves to the first column; a longer cell has a line of its own."""
    others = sum(widths[1:]) + 2 * (len(widths) - 1)
    return max(_NARROWEST, _terminal_columns() - others)


def _note_lines(note: str) -> list[str]:
    if not note:
        return []
    from textwrap import wrap

    width = max(_NARROWEST, _terminal_columns())
    return wrap(note, width - 1, initial_indent="  └ ", subsequent_indent="    ")


def _terminal_columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        return _USUAL_WIDTH


def _line(row: Sequence[str], table: Table, widths: Sequence[int]) -> str:
    return "  ".join(
        f"{cell:>{width}}" if title in table.numbers else f"{cell:<{width}}"
        for cell, title, width in zip(row, table.titles, widths, strict=False)
    )
