"""How numbers of a process stand in its info object (spec: protocol, stats)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

UNREADABLE = "N/A"

_T = TypeVar("_T")
_A = TypeVar("_A")


def size_text(size: float) -> str:
    """Say a number of bytes as ``512B`` or ``1.40M``."""
    if size < 1024:
        return f"{int(size)}B"
    for unit in "KMGT":
        size /= 1024
        if size < 1024 or unit == "T":
            break
    return f"{size:.2f}{unit}"


def cpu_time_text(seconds: float) -> str:
    """Say CPU time as minutes, seconds and hundredths: ``0:01.25``."""
    hundredths = int(seconds * 100 + 0.5)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def or_unreadable(value: _T | None) -> _T | str:
    """Return a value, or the word for one that may not be read."""
    return UNREADABLE if value is None else value


def told_or_unreadable(tell: Callable[[_T], _A], value: _T | None) -> _A | str:
    """Return what is to be told of a value, or the word for one that may not be read."""
    return UNREADABLE if value is None else tell(value)
