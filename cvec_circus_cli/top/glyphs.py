"""Bars, sparklines, branches and numbers, in a terminal's own characters or in ASCII alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cvec_circus_cli.top.lines import Span, Tone

_SCALES = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0)
"""Where a history's scale may end; above, at whole hundreds. So a steady value looks steady."""


@dataclass(frozen=True, slots=True)
class Pen:
    """The characters that a picture is made of."""

    parts: str
    """A cell of a bar, from nearly empty to full."""
    track: str
    levels: str
    """A cell of a sparkline, from lowest to highest."""
    fork: str
    last: str
    open: str
    folded: str
    cut: str
    up: str
    down: str
    rule: str


UNICODE = Pen("▏▎▍▌▋▊▉█", "░", "▁▂▃▄▅▆▇█", "├─", "└─", "▾", "▸", "…", "↑", "↓", "─")
ASCII = Pen("|", ".", "_.-=+*#@", "|-", "`-", "-", "+", "~", "^", "v", "-")


def bar(share: float | None, columns: int, pen: Pen) -> tuple[Span, ...]:
    """Return a bar that fills this share, between 0 and 1, of its columns."""
    if columns <= 0:
        return ()
    part = min(1.0, max(0.0, share or 0.0))
    steps = len(pen.parts)
    eighths = round(part * columns * steps)
    if share and part and not eighths:
        eighths = 1
    full, rest = divmod(eighths, steps)
    text = pen.parts[-1] * full + (pen.parts[rest - 1] if rest else "")
    return Span(text, tone_of(part)), Span(pen.track * (columns - len(text)), Tone.TRACK)


def sparkline(values: Sequence[float], columns: int, pen: Pen) -> Span:
    """Return the last values as a line of levels, newest to the right, on a scale of their own."""
    if columns <= 0:
        return Span("")
    recent = values[-columns:]
    top = scale_of(max(recent, default=0.0))
    highest = len(pen.levels) - 1
    text = "".join(pen.levels[round(max(0.0, value) / top * highest)] for value in recent)
    return Span(text.rjust(columns), Tone.LOW)


def scale_of(value: float) -> float:
    """Return the end of the scale on which a value is drawn."""
    return next((scale for scale in _SCALES if value <= scale), -(-value // 100.0) * 100.0)


def tone_of(share: float) -> Tone:
    """Return how alarming a share is."""
    if share >= 0.8:
        return Tone.HIGH
    return Tone.MIDDLE if share >= 0.5 else Tone.LOW


def percent_text(value: float | None) -> str:
    """Return a percentage with one decimal, as far as that fits."""
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 9999.95 else f"{value:.0f}"


def bytes_text(value: float | None) -> str:
    """Return an amount of bytes in at most five characters."""
    if value is None:
        return "-"
    for unit in ("B", "K", "M", "G", "T"):
        if value < 999.5:
            return f"{value:.0f}{unit}" if unit == "B" or value >= 99.95 else f"{value:.1f}{unit}"
        value /= 1024
    return f"{value:.1f}P"


def age_text(value: float | None) -> str:
    """Return a time span in at most six characters, in its two greatest units."""
    if value is None:
        return "-"
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02}h" if days < 100 else f"{days}d"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{seconds:02}s" if minutes else f"{seconds}s"


def time_text(value: float | None) -> str:
    """Return processor time as minutes, seconds and hundredths; hours where it is long."""
    if value is None:
        return "-"
    minutes, seconds = divmod(value, 60)
    if minutes < 100:
        return f"{int(minutes)}:{seconds:05.2f}"
    return f"{int(minutes // 60)}h{int(minutes % 60):02}m"


def number_text(value: float | str | None) -> str:
    """Return any number or word, without decimals where there are none."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"
