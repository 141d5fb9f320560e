"""Regular expressions that somebody else wrote: matched in a time that grows with the text alone.

Python's own engine tries again and again: ``(.|.)*Q`` on a name of forty letters takes longer than
anybody lives, and nothing else of the process runs meanwhile. RE2 has no such pattern. What only a
search that goes back can do, references to groups and looking ahead, it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Protocol

from cvec_circus_core.model.text import escaped, quoted

LONGEST_PATTERN = 1000
"""Characters of a pattern, of whatever kind."""

_MEMORY = 1 << 20
"""Bytes that one compiled pattern may take."""


class RegexMatch(Protocol):
    """Where a regular expression has matched."""

    def __getitem__(self, group: int | str) -> str | None:
        """Return the text of a group."""


class _Compiled(Protocol):
    groupindex: Mapping[str, int]

    def match(self, text: str) -> RegexMatch | None: ...
    def search(self, text: str) -> RegexMatch | None: ...
    def fullmatch(self, text: str) -> RegexMatch | None: ...


class Regex:
    """One regular expression, compiled at its first use."""

    __slots__ = ("_ignores_case", "pattern")

    def __init__(self, pattern: str, *, ignores_case: bool = False) -> None:
        self.pattern = pattern
        self._ignores_case = ignores_case

    def checked(self) -> Regex:
        """Return it, if it can be used. Raises ValueError with the reason in a few words."""
        _compiled(self.pattern, self._ignores_case)
        return self

    @property
    def groups(self) -> frozenset[str]:
        """The names of its groups."""
        return frozenset(_compiled(self.pattern, self._ignores_case).groupindex)

    def match(self, text: str) -> RegexMatch | None:
        """Match at the beginning of a text."""
        return _compiled(self.pattern, self._ignores_case).match(_encodable(text))

    def search(self, text: str) -> RegexMatch | None:
        """Match anywhere in a text."""
        return _compiled(self.pattern, self._ignores_case).search(_encodable(text))

    def fullmatch(self, text: str) -> RegexMatch | None:
        """Match a whole text."""
        return _compiled(self.pattern, self._ignores_case).fullmatch(_encodable(text))

    def __repr__(self) -> str:
        """Show the pattern."""
        return f"Regex({quoted(self.pattern)})"


@lru_cache(maxsize=128)
def _compiled(pattern: str, ignores_case: bool) -> _Compiled:
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"it is longer than {LONGEST_PATTERN} characters")
    try:
        # Only those who use a pattern pay for the library.
        re2 = import_module("re2")
    except ModuleNotFoundError:
        raise ValueError("regular expressions need the package google-re2") from None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not ignores_case
    try:
        compiled: _Compiled = re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None
    except re2.error as error:
        raise ValueError(escaped(error.args[0] if error.args else error)) from None
    return compiled


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode(errors="replace").decode()
