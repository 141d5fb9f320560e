"""Texts split into words as a shell does it, in a time that grows with the text.

The same as `shlex.split`, which goes letter by letter: half a million of them, which anybody who
may add a watcher can send, hold the daemon for seconds there.
"""

from __future__ import annotations

import re
from typing import Self

from cvec_circus_core.model.text import LONGEST_EXPANDED

_PIECE = re.compile(
    r"""(?P<blank>[ \t\r\n]+)"""
    r"""|(?P<plain>[^ \t\r\n"'\\]+)"""
    r"""|'(?P<single>[^']*)'"""
    r"""|"(?P<double>[^"\\]*(?:\\.[^"\\]*)*)\""""
    r"""|\\(?P<escaped>.)""",
    re.DOTALL,
)
_SPECIAL = re.compile(r"""["'\\]""")
_WORD = re.compile(r"[^ \t\r\n]+")
_ESCAPED = re.compile(r'\\(["\\])')


def split_words(text: str) -> list[str]:
    """Split a text into words, with quotes and backslashes.

    Raises ValueError for an open quote, and for what is longer than any argument can be.
    """
    if len(text) > LONGEST_EXPANDED:
        raise ValueError(f"longer than {LONGEST_EXPANDED} characters")
    if _SPECIAL.search(text) is None:
        return _WORD.findall(text)
    words: list[str] = []
    parts: list[str] | None = None
    at = 0
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece is None:
            raise ValueError("No escaped character" if _ends_escaped(text, at) else _OPEN_QUOTE)
        at = piece.end()
        if piece.lastgroup == "blank":
            if parts is not None:
                words.append("".join(parts))
                parts = None
            continue
        parts = [] if parts is None else parts
        value = piece[piece.lastgroup or 0]
        parts.append(_ESCAPED.sub(r"\1", value) if piece.lastgroup == "double" else value)
    if parts is not None:
        words.append("".join(parts))
    return words


_OPEN_QUOTE = "No closing quotation"


def _ends_escaped(text: str, at: int) -> bool:
    """Tell whether what is left is a backslash with nothing behind it, maybe in double quotes."""
    rest = text[at:]
    trailing = len(rest) - len(rest.rstrip("\\"))
    return rest[0] != "'" and trailing % 2 == 1


class SplitText(tuple[str, ...]):
    """Words that were split from a text, which is shown again as it was written."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Split a text. Raises ValueError."""
        words = super().__new__(cls, split_words(text))
        words.text = text
        return words

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.text,)
