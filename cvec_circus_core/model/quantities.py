"""Times and sizes: plain numbers, or numbers with a unit such as 250ms, 1h30m and 10MB."""

from __future__ import annotations

import re

from cvec_circus_core.model.kinds import INTEGER, NUMBER, Kind

_SECONDS = {
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
    "w": 604_800.0,
}
_BYTES = {
    "b": 1,
    "k": 1024,
    "m": 1024**2,
    "g": 1024**3,
    "t": 1024**4,
    "kb": 1024,
    "mb": 1024**2,
    "gb": 1024**3,
    "tb": 1024**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
_PART = r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]+)"
_DURATION = re.compile(rf"\s*(?:{_PART}\s*)+", re.IGNORECASE)
_SIZE = re.compile(rf"\s*{_PART}\s*", re.IGNORECASE)


def _parse_duration(text: str) -> float:
    if not _DURATION.fullmatch(text):
        seconds: float = NUMBER.parse(text)
        return seconds
    parts = re.findall(_PART, text.lower())
    units = [unit for _, unit in parts]
    if len(set(units)) < len(units) or not _SECONDS.keys() >= set(units):
        raise ValueError("a number")
    total: float = NUMBER.check(sum(float(number) * _SECONDS[unit] for number, unit in parts))
    return total


def _check_duration(value: object) -> float:
    # A text without a unit is no number, in JSON as before.
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return _parse_duration(value)
    seconds: float = NUMBER.check(value)
    return seconds


def _parse_size(text: str) -> int:
    match_ = _SIZE.fullmatch(text)
    if match_ is None:
        size: int = INTEGER.parse(text)
        return size
    unit = match_[2].lower()
    if unit not in _BYTES:
        raise ValueError("an integer")
    whole: int = INTEGER.check(int(float(match_[1]) * _BYTES[unit]))
    return whole


def _check_size(value: object) -> int:
    if isinstance(value, str) and _SIZE.fullmatch(value):
        return _parse_size(value)
    size: int = INTEGER.check(value)
    return size


DURATION = Kind(
    "number", "seconds, or a time such as 250ms or 1h30m", _parse_duration, _check_duration
)
"""Seconds; 1h30m and 250ms are taken, too."""
SIZE = Kind("integer", "bytes, or a size such as 64k or 10MB", _parse_size, _check_size)
"""Bytes; 10MB and 64k are taken, too, by powers of 1024."""
