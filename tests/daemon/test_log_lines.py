"""A record is one line of the log, and not a long one, whatever its parts hold."""

from __future__ import annotations

import logging
import sys

import pytest

from cvec_circus_core.daemon.logs import LONGEST_MESSAGE, _Lines


def line_of(message: str, *parts: object, failure: BaseException | None = None) -> str:
    exc_info = None if failure is None else (type(failure), failure, failure.__traceback__)
    record = logging.LogRecord("x", logging.WARNING, __file__, 1, message, parts, exc_info)
    return _Lines().format(record)


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        ("web", "web"),
        ("wörker", "wörker"),
        ("x\n2026-01-01 00:00:00 circus[1] [ERROR] forged", r"x\n2026-01-01"),
        ("\x1b[2J\r\u2028", r"\x1b[2J\r\u2028"),
    ],
)
def test_a_part_can_not_begin_a_line(part: str, shown: str) -> None:
    line = line_of("watcher %s is there", part)
    assert f"watcher {shown}" in line
    assert line.isprintable()


def test_a_long_part_is_cut() -> None:
    line = line_of("watcher %s is there", "y" * 1_000_000)
    assert len(line) < LONGEST_MESSAGE + 100
    assert line.endswith("…")


def test_a_traceback_keeps_its_lines() -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        lines = line_of("it failed", failure=error).splitlines()
    assert lines[0].endswith("it failed")
    assert lines[-1] == "ValueError: why"
    assert len(lines) >= 4
    assert sys.exc_info() == (None, None, None)
