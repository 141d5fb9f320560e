"""How text from outside is shown: in one line, with its escapes visible, and not too much of it.

Names, datagrams, answers of servers and bodies of events are written by others. In a log or on a
terminal their line ends would look like lines of ours, their escapes would paint, and their length
would fill the disk; and so would their number. Everything of that kind goes through here before it
is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto

LONGEST_SHOWN = 200
"""Characters of one text that are shown, unless the caller says otherwise."""


def escaped(text: object, longest: int = LONGEST_SHOWN) -> str:
    """Return a text as one printable line of at most so many characters.

    Bytes are read as UTF-8. What is left out at the end is told by an ellipsis.
    """
    # A character becomes at least one: more than this is never needed.
    visible = _as_text(text, longest)[: longest + 1]
    if not visible.isprintable():
        visible = "".join(letter if letter.isprintable() else _escape(letter) for letter in visible)
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def quoted(text: object, longest: int = LONGEST_SHOWN) -> str:
    """Do the same, in quotes: where a text ends is then as clear as what it holds."""
    visible = escaped(text, longest)
    mark = '"' if "'" in visible and '"' not in visible else "'"
    return f"{mark}{visible}{mark}"


def visible(text: str) -> str:
    """Return a text of any length with its lines and tabs as they are, and no other control in it.

    What is a control, or has no look of its own, is shown by its escape.
    """
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return _NOT_PLAIN.sub(_visible_letter, text)


_NOT_PLAIN = re.compile(r"[^\n\t -~]")


def _visible_letter(match: re.Match[str]) -> str:
    return match[0] if match[0].isprintable() else _escape(match[0])


def _as_text(text: object, longest: int) -> str:
    if isinstance(text, bytes):
        # Four bytes are a character at most.
        return text[: 4 * longest + 4].decode(errors="replace")
    return text if isinstance(text, str) else str(text)


def _escape(letter: str) -> str:
    return repr(letter)[1:-1]


LINES = 10
"""Lines that one source of text may bring about in each `PERIOD`."""
PERIOD = 60.0
"""Seconds."""
_SOURCES = 10_000


class Share(Enum):
    """What becomes of a line that somebody outside brings about."""

    SHOWN = auto()
    LAST = auto()
    """One too many, and the first of these: it is worth to say that more are not shown."""
    DROPPED = auto()


class LineQuota:
    """Counts the lines that each source, such as a caller, brings about in a minute."""

    __slots__ = ("_lines", "_shown", "_since")

    def __init__(self, lines: int = LINES) -> None:
        self._lines = lines
        self._shown: dict[str, int] = {}
        self._since: float | None = None

    def take(self, source: str, now: float) -> Share:
        """Count a line, and tell what becomes of it. ``now`` is in monotonic seconds."""
        if self._since is None or now - self._since >= PERIOD:
            self._since = now
            self._shown.clear()
        count = self._shown.get(source, 0)
        if count > self._lines or (not count and len(self._shown) >= _SOURCES):
            return Share.DROPPED
        self._shown[source] = count + 1
        return Share.SHOWN if count < self._lines else Share.LAST


LONGEST_EXPANDED = 131_072
"""Characters of a text after its variables were replaced. Linux takes no longer argument."""
LONGEST_ARGUMENT = 131_071
"""Bytes that Linux takes in one argument, or one variable of the environment with its name."""


class TooLong(ValueError):
    """A text that variables make longer than anything can be used."""

    def __init__(self) -> None:
        super().__init__(
            f"variables make the text longer than {LONGEST_EXPANDED} characters",
        )


def expanded(variable: re.Pattern[str], value_of: Callable[[re.Match[str]], str], text: str) -> str:
    """Return a text with its variables replaced. Raises `TooLong`, before it is put together.

    A few variables that each name another one twice would fill the memory.
    """
    length = len(text)

    def value(match: re.Match[str]) -> str:
        nonlocal length
        replacement = value_of(match)
        length += len(replacement) - len(match[0])
        if length > LONGEST_EXPANDED and replacement != match[0]:
            raise TooLong
        return replacement

    return variable.sub(value, text)
