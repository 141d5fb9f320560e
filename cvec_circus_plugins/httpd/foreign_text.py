"""Text of processes and strangers as pages show it, on the server as in the browser (``clean``).

What a terminal would obey, and what turns the order of letters round, is made visible; colours of
output are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cvec_circus_plugins.commands._output_entries import bytes_of

_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
_PICTURES, _DELETE, _DELETE_PICTURE, _UNKNOWN = 0x2400, "\x7f", "\u2421", "\ufffd"


class ShownLine(NamedTuple):
    """A line of output."""

    channel: str
    process_id: int
    text: str


def clean(text: str) -> str:
    """Return a text whose controls can be seen, except those between lines and columns."""
    return _CONTROLS.sub(_picture, text)


def clean_line(text: str) -> str:
    """Return a line of output without colours and without what a terminal would obey."""
    return clean(_COLOURS.sub("", text).removesuffix("\r").replace("\r", chr(_PICTURES + 13)))


def shown_lines(entries: Iterable[Mapping[str, Any]]) -> Iterator[ShownLine]:
    """Return the lines of entries of ``tail``; only a line feed ends one."""
    for entry in entries:
        text = bytes_of(entry).decode(errors="replace").removesuffix("\n")
        for line in text.split("\n"):
            yield ShownLine(entry["channel"], entry["process_id"], clean_line(line))


def _picture(match: re.Match[str]) -> str:
    letter = match[0]
    if letter == _DELETE:
        return _DELETE_PICTURE
    return chr(_PICTURES + ord(letter)) if letter < " " else _UNKNOWN
