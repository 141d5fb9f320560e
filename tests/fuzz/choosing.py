"""Bytes become choices: the same bytes always become the same message or file.

A fuzzer that changes bytes blindly seldom finds its way through JSON. Here its bytes are read as
decisions, between words that mean something, so that what it makes is almost right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_DEPTH = 4
_MANY = 6


class Choices:
    """Decisions, taken from bytes until there are none left; then always the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """Return a number from 0 on."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1] % below

    def one_of(self, words: Sequence[Any]) -> Any:
        """Return one of some things."""
        if len(words) <= 256:
            return words[self.number(len(words))]
        return words[(self.number(256) * 256 + self.number(256)) % len(words)]

    def text(self) -> str:
        """Return a text as it stands in the bytes."""
        length = self.number(24)
        piece = self._data[self._at : self._at + length]
        self._at += length
        return piece.decode("utf-8", "replace")

    def value(self, words: Sequence[str], depth: int = _DEPTH) -> Any:
        """Return a JSON value."""
        match self.number(12 if depth else 9):
            case 0 | 1 | 2:
                return self.one_of(words)
            case 3:
                return self.text()
            case 4:
                return self.one_of((0, 1, -1, 2, 15, 101, 10**6, 2**63, -(2**31), 10**40))
            case 5:
                return self.one_of((0.5, -1.5, 1e308, 1e-9))
            case 6:
                return self.one_of((True, False, None))
            case 7:
                return str(self.number(256))
            case 8:
                return self.one_of(words) + self.text()
            case 9:
                return [self.value(words, depth - 1) for _ in range(self.number(_MANY))]
            case _:
                return self.mapping(words, words, depth - 1)

    def mapping(self, keys: Sequence[str], words: Sequence[str], depth: int) -> dict[str, Any]:
        """Return a JSON object, most of its keys known ones."""
        found = {}
        for _ in range(self.number(_MANY)):
            key = self.text() if self.number(16) == 15 else self.one_of(keys)
            found[key] = self.value(words, depth)
        return found
