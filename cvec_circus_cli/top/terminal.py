"""What the terminal is able to, as the environment and its description say."""

from __future__ import annotations

import curses
import sys
from collections.abc import Mapping
from enum import Enum


class Ability(Enum):
    """What can be shown."""

    LINES = "one line below the other"
    PLAIN_SCREEN = "a screen without colours"
    COLOURS = "a screen with colours"


def ability(environment: Mapping[str, str], *, colourless: bool) -> Ability:
    """Return what the terminal of this process is able to."""
    kind = environment.get("TERM", "")
    described = _described(kind)
    if described is None:
        return Ability.LINES
    if colourless or environment.get("NO_COLOR") or described < 8:
        return Ability.PLAIN_SCREEN
    return Ability.COLOURS


def writes_unicode() -> bool:
    """Tell whether the terminal is written to in an encoding that has bars and branches."""
    encoding = getattr(sys.__stdout__, "encoding", None) or "ascii"
    try:
        "▏░▁├▾…".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _described(kind: str) -> int | None:
    """Return how many colours a kind of terminal has; None where its cursor can not be moved.

    A kind that this machine has no description of is taken for a usual one, unless it has no name.
    """
    if kind in ("", "dumb", "unknown"):
        return None
    try:
        curses.setupterm(kind, 1)
    except curses.error:
        return 8
    if not curses.tigetstr("cup"):
        return None
    return curses.tigetnum("colors")
