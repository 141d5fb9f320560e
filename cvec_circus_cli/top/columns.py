"""The columns: what each shows, how wide it is, and which go first where there is little room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from cvec_circus_cli.top import glyphs
from cvec_circus_cli.top.glyphs import Pen
from cvec_circus_cli.top.lines import Span, Tone, clean, fitted, width
from cvec_circus_cli.top.row import Branch, Row, Sheet, Value


class Kind(Enum):
    """How a value is shown."""

    NAME = auto()
    TEXT = auto()
    NUMBER = auto()
    PERCENT = auto()
    BYTES = auto()
    AGE = auto()
    TIME = auto()
    BAR = auto()
    SHARE = auto()
    HISTORY = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``rank`` tells how soon it is left out, ``most`` how wide it may grow."""

    name: str
    title: str
    width: int
    kind: Kind
    rank: int
    most: int = 0
    value: str = ""
    """The name of the value where that is not the column's."""

    @property
    def of(self) -> str:
        """The name of the value that is shown."""
        return self.value or self.name

    @property
    def is_drawn(self) -> bool:
        """Tell whether it shows a picture of what stands in another column as a number."""
        return self.kind in (Kind.BAR, Kind.SHARE, Kind.HISTORY)


PROCESS_COLUMNS = (
    Column("name", "WATCHER / PROCESS", 20, Kind.NAME, 0, most=44),
    Column("pid", "PID", 7, Kind.NUMBER, 1),
    Column("user", "USER", 9, Kind.TEXT, 10),
    Column("state", "STATE", 10, Kind.TEXT, 7, most=14),
    Column("nice", "NI", 3, Kind.NUMBER, 16),
    Column("threads", "THR", 4, Kind.NUMBER, 13),
    Column("files", "FDS", 4, Kind.NUMBER, 14),
    Column("cpu", "CPU%", 6, Kind.PERCENT, 2),
    Column("cpu_bar", "", 10, Kind.BAR, 5, most=24, value="cpu"),
    Column("history", "CPU HISTORY", 12, Kind.HISTORY, 9, most=50),
    Column("memory", "MEM%", 5, Kind.PERCENT, 3),
    Column("memory_bar", "", 8, Kind.BAR, 12, most=16, value="memory"),
    Column("resident", "RSS", 5, Kind.BYTES, 4),
    Column("virtual", "VIRT", 5, Kind.BYTES, 15),
    Column("pss", "PSS", 5, Kind.BYTES, 19),
    Column("below_cpu", "CHLD%", 6, Kind.PERCENT, 17),
    Column("below_resident", "CHLDRSS", 7, Kind.BYTES, 18),
    Column("age", "AGE", 6, Kind.AGE, 6),
    Column("time", "TIME", 8, Kind.TIME, 11),
)
SOCKET_COLUMNS = (
    Column("address", "ADDRESS", 24, Kind.TEXT, 0, most=60),
    Column("fd", "FD", 4, Kind.NUMBER, 1),
    Column("name", "NAME", 12, Kind.TEXT, 3, most=24),
    Column("connections", "CONNS", 6, Kind.NUMBER, 7),
    Column("reads", "READS", 7, Kind.NUMBER, 2),
    Column("share", "", 10, Kind.SHARE, 8, most=24),
    Column("history", "HISTORY", 12, Kind.HISTORY, 9, most=50),
    Column("queued", "QUEUED", 7, Kind.NUMBER, 4),
    Column("queue_bar", "", 8, Kind.SHARE, 5, most=20),
    Column("backlog", "BACKLOG", 8, Kind.NUMBER, 10),
)
_ALWAYS = 6
"""Columns up to this rank are there though nothing may be known of any row."""
_EXTRA_RANK = 8
_GAP = 1


def columns_of(sheet: Sheet, extras: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of a sheet, with one for each number that a plugin adds."""
    own = SOCKET_COLUMNS if sheet is Sheet.SOCKETS else PROCESS_COLUMNS
    filled = {column.name for column in own}
    return own + tuple(
        Column(
            name, clean(name).upper()[:12], max(6, min(12, len(name) + 1)), Kind.NUMBER, _EXTRA_RANK
        )
        for name in extras
        if name not in filled
    )


def with_content(columns: Sequence[Column], rows: Sequence[Row], sort: str) -> list[Column]:
    """Return the columns in which something stands; the one that is sorted by stays."""
    filled = {name for row in rows for name, value in row.values.items() if value not in (None, "")}
    return [
        column
        for column in columns
        if column.rank <= _ALWAYS or column.of in filled or column.name == sort
    ]


def chosen_columns(columns: Sequence[Column], room: int) -> list[tuple[Column, int]]:
    """Return the columns that fit, with their widths; what is left over goes to those that grow."""
    chosen: list[Column] = []
    width_used = -_GAP
    for column in sorted(columns, key=lambda column: column.rank):
        if width_used + _GAP + column.width <= room or not chosen:
            chosen.append(column)
            width_used += _GAP + column.width
    widths = {column.name: min(column.width, room) for column in chosen}
    spare = room - width_used
    growing = [column for column in chosen if column.most > column.width]
    while spare > 0 and growing:
        for column in list(growing):
            if widths[column.name] >= column.most:
                growing.remove(column)
            elif spare > 0:
                widths[column.name] += 1
                spare -= 1
    return [(column, widths[column.name]) for column in columns if column in chosen]


def titles(
    columns: Sequence[tuple[Column, int]], sort: str, *, falls: bool, pen: Pen
) -> list[Span]:
    """Return the titles of the columns, with an arrow at the one that is sorted by."""
    spans = []
    for column, room in columns:
        is_sorted = column.name == sort
        title = column.title
        if is_sorted:
            title = title[: room - 1] + (pen.down if falls else pen.up)
        right = column.kind not in (Kind.NAME, Kind.TEXT) and not column.is_drawn
        text = fitted(title, room, right=right, cut="")
        spans += [Span(text, Tone.SORTED if is_sorted else Tone.HEAD), Span(" ", Tone.HEAD)]
    return spans[:-1]


def cells(row: Row, columns: Sequence[tuple[Column, int]], pen: Pen, scale: float) -> list[Span]:
    """Return a row's cells; a bar is full where a value reaches the scale."""
    spans: list[Span] = []
    for column, room in columns:
        value = row.values.get(column.of)
        spans += [*_cell(column, room, row, value, pen, scale), Span(" ")]
    return spans[:-1]


def text_of(column: Column, value: Value) -> str:
    """Return a value as text; nothing for what can only be drawn."""
    if isinstance(value, tuple) or column.is_drawn:
        return ""
    show = _SHOWN.get(column.kind, glyphs.number_text)
    return clean(value) if isinstance(value, str) else show(value)


_SHOWN: dict[Kind, Callable[[float | None], str]] = {
    Kind.PERCENT: glyphs.percent_text,
    Kind.BYTES: glyphs.bytes_text,
    Kind.AGE: glyphs.age_text,
    Kind.TIME: glyphs.time_text,
}


def name_text(row: Row, pen: Pen) -> tuple[str, str]:
    """Return what stands before a row's name, and the name."""
    name = str(row.values.get("name", ""))
    match row.branch:
        case Branch.OPEN:
            return f"{pen.open} ", name
        case Branch.FOLDED:
            return f"{pen.folded} ", f"{name} ({row.count})"
        case Branch.FORK:
            return "  " * (row.depth - 1) + f"{pen.fork} ", name
        case Branch.LAST:
            return "  " * (row.depth - 1) + f"{pen.last} ", name
        case Branch.NONE:
            return "", name


def _cell(
    column: Column, room: int, row: Row, value: Value, pen: Pen, scale: float
) -> tuple[Span, ...]:
    is_group = row.branch in (Branch.OPEN, Branch.FOLDED)
    number = value if isinstance(value, int | float) else None
    match column.kind:
        case Kind.NAME:
            before, name = name_text(row, pen)
            spare = room - width(before)
            tone = Tone.STRONG if is_group else Tone.PLAIN
            return Span(before[:room], Tone.DIM), Span(fitted(name, spare, cut=pen.cut), tone)
        case Kind.BAR:
            if number is None:
                return (Span(" " * room),)
            full = scale if column.of == "cpu" else 100.0
            return glyphs.bar(number / full, room, pen)
        case Kind.SHARE:
            return glyphs.bar(number, room, pen)
        case Kind.HISTORY:
            return (glyphs.sparkline(value if isinstance(value, tuple) else (), room, pen),)
    text = "" if value is None and (is_group or column.name not in row.values) else None
    text = text_of(column, value) if text is None else text
    right = column.kind is not Kind.TEXT
    return (Span(fitted(text, room, right=right, cut=pen.cut), _tone(column, value, is_group)),)


def _tone(column: Column, value: Value, is_group: bool) -> Tone:
    if column.name == "state" and is_group:
        word = str(value).partition(" ")
        if word[0] == "active":
            return Tone.WARNING if word[2] else Tone.GOOD
        return Tone.BAD if word[0] == "stopped" else Tone.WARNING
    if column.kind is Kind.PERCENT and isinstance(value, int | float):
        return glyphs.tone_of(value / 100.0) if value >= 50.0 else _strength(is_group)
    return _strength(is_group)


def _strength(is_group: bool) -> Tone:
    return Tone.STRONG if is_group else Tone.PLAIN
