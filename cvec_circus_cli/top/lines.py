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
    return Line(tuple(part if isinstance(part, Span) else Span(part) for part in parts))


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
    spare, spans = columns, []
    for span in whole.spans:
        if spare <= 0:
            break
        text = span.text if width(span.text) <= spare else fitted(span.text, spare, cut="")
        spans.append(Span(text, span.tone))
        spare -= width(text)
    if spare > 0:
        spans.append(Span(" " * spare))
    return Line(tuple(spans), whole.is_chosen)


@cache
def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _head(text: str, columns: int) -> str:
    head, columns_used = [], 0
    for character in text:
        columns_used += _columns(character)
        if columns_used > columns:
            break
        head.append(character)
    return "".join(head)
