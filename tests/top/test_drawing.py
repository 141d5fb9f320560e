"""Numbers, bars, histories, and texts that take as many columns as they should."""

from __future__ import annotations

import pytest

from cvec_circus_cli.top.glyphs import (
    ASCII,
    UNICODE,
    Pen,
    age_text,
    bar,
    bytes_text,
    number_text,
    percent_text,
    sparkline,
    time_text,
)
from cvec_circus_cli.top.lines import Line, Span, Tone, clean, cropped, fitted, width


@pytest.mark.parametrize(
    ("share", "pen", "drawn"),
    [
        (0.0, ASCII, "........"),
        (None, ASCII, "........"),
        (0.5, ASCII, "||||...."),
        (1.0, ASCII, "||||||||"),
        (7.0, ASCII, "||||||||"),
        (-1.0, ASCII, "........"),
        (0.001, ASCII, "|......."),
        (0.5, UNICODE, "████░░░░"),
        (0.45, UNICODE, "███▋░░░░"),
        (0.001, UNICODE, "▏░░░░░░░"),
    ],
)
def test_a_bar(share: float | None, pen: Pen, drawn: str) -> None:
    assert "".join(span.text for span in bar(share, 8, pen)) == drawn


@pytest.mark.parametrize(
    ("share", "tone"),
    [(0.1, Tone.LOW), (0.5, Tone.MIDDLE), (0.79, Tone.MIDDLE), (0.8, Tone.HIGH), (3.0, Tone.HIGH)],
)
def test_a_bar_tells_how_full_it_is(share: float, tone: Tone) -> None:
    assert bar(share, 8, ASCII)[0].tone is tone


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ((), "        "),
        ((0.0, 50.0, 100.0), "     ▁▅█"),
        ((100.0, 200.0), "      ▅█"),
        ((0.5,), "       ▅"),
        ((66.0, 66.0), "      ▆▆"),
        (tuple(float(n) for n in range(100)), "▇███████"),
    ],
)
def test_a_history(values: tuple[float, ...], drawn: str) -> None:
    assert sparkline(values, 8, UNICODE).text == drawn


@pytest.mark.parametrize(
    ("value", "percent", "size", "age", "time"),
    [
        (None, "-", "-", "-", "-"),
        (0.0, "0.0", "0B", "0s", "0:00.00"),
        (59.5, "59.5", "60B", "59s", "0:59.50"),
        (100.0, "100.0", "100B", "1m40s", "1:40.00"),
        (999.5, "999.5", "1.0K", "16m39s", "16:39.50"),
        (3600.0, "3600.0", "3.5K", "1h00m", "60:00.00"),
        (86400.0, "86400", "84.4K", "1d00h", "24h00m"),
        (1024.0**2, "1048576", "1.0M", "12d03h", "291h16m"),
        (1024.0**5, "1125899906842624", "1.0P", "13031248921d", "312749974122h57m"),
    ],
)
def test_numbers(value: float | None, percent: str, size: str, age: str, time: str) -> None:
    assert (percent_text(value), bytes_text(value), age_text(value)) == (percent, size, age)
    assert time_text(value) == time


@pytest.mark.parametrize(
    ("value", "text"), [(3.0, "3"), (0.5, "0.50"), ("ok", "ok"), (None, "-"), (-2, "-2")]
)
def test_other_numbers(value: float | str | None, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("text", "columns", "right", "cut"),
    [
        ("web", 5, False, "web  "),
        ("web", 5, True, "  web"),
        ("watcher", 5, False, "watc…"),
        ("watcher", 0, False, ""),
        ("日本語", 6, False, "日本語"),
        ("日本語", 5, False, "日本…"),
        ("日本語", 4, False, "日… "),
        ("e\u0301a", 3, False, "e\u0301a "),
    ],
)
def test_texts_are_cut_and_filled_by_columns(
    text: str, columns: int, right: bool, cut: str
) -> None:
    found = fitted(text, columns, right=right)
    assert found == cut
    assert width(found) == columns


def test_a_line_is_cropped_and_filled() -> None:
    whole = Line((Span("ab"), Span("cdef", Tone.DIM)), is_chosen=True)
    assert cropped(whole, 4) == Line((Span("ab"), Span("cd", Tone.DIM)), is_chosen=True)
    assert cropped(whole, 8).text == "abcdef  "
    assert cropped(whole, 0).text == ""


def test_what_is_not_printable_is_replaced() -> None:
    assert clean("a\x1b[31m\u202eb\n") == "a?[31m?b?"
