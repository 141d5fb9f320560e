"""Lines of a picture, before anybody knows how they are drawn: pieces of text, each with a tone.

Names come from outside: a process may call itself anything, escape sequences and all. Whatever is
not printable is replaced here, and a character's width is the number of columns that it takes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache


class Tone(Enum):
    """What a piece of text is, whatever that looks like."""

    PLAIN = auto()
    DIM = auto()
    STRONG = auto()
    TITLE = auto()
    HEAD = auto()
    SORTED = auto()
    LOW = auto()
    MIDDLE = auto()
    HIGH = auto()
    TRACK = auto()
    GOOD = auto()
    WARNING = auto()
    BAD = auto()
    KEY = auto()


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text of one tone."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture; a chosen one stands out as a whole."""

    spans: tuple[Span, ...] = ()
    is_chosen: bool = False

    @property
    def text(self) -> str:
        """The line without its tones."""
        return "".join(span.text for span in self.spans)


def line(*parts: str | Span) -> Line:
    """Return a line of these parts; a bare text is plain."""
    return Line(tuple(one if isinstance(one, Span) else Span(one) for one in parts))


def clean(text: str) -> str:
    """Return a text that no terminal takes for an order."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def width(text: str) -> int:
    """Return how many columns a text takes."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def fitted(text: str, columns: int, *, right: bool = False, cut: str = "…") -> str:
    """Return a text cut or filled up to so many columns."""
    if width(text) > columns:
        text = _head(text, columns - width(cut)) + cut if columns >= width(cut) else ""
    blanks = " " * max(0, columns - width(text))
    return blanks + text if right else text + blanks


def cropped(whole: Line, columns: int) -> Line:
    """Return a line of exactly so many columns."""
    left, spans = columns, []
    for span in whole.spans:
        if left <= 0:
            break
        text = span.text if width(span.text) <= left else fitted(span.text, left, cut="")
        spans.append(Span(text, span.tone))
        left -= width(text)
    if left > 0:
        spans.append(Span(" " * left))
    return Line(tuple(spans), whole.is_chosen)


@cache
def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _head(text: str, columns: int) -> str:
    taken, used = [], 0
    for character in text:
        used += _columns(character)
        if used > columns:
            break
        taken.append(character)
    return "".join(taken)
