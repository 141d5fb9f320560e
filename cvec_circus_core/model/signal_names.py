"""Signals by number and by name, as people write them."""

from __future__ import annotations

import signal


def read_signal(value: object) -> int:
    """Return the number of a signal given as a number, digits, or a name.

    Names may have SIG or not, in any case, and ``RTMIN+n`` / ``RTMAX-n`` are known
    (spec: protocol, signal). Raises ValueError.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("a signal")
    number = _signal_number(value.strip().upper()) if isinstance(value, str) else int(value)
    if number is None or number not in signal.valid_signals():
        raise ValueError("a signal")
    return int(number)


def _signal_number(word: str) -> int | None:
    if word.isdecimal():
        return int(word)
    name = word if word.startswith("SIG") else f"SIG{word}"
    for mark in "+-":
        base, sign, step = name.partition(mark)
        if sign and step.isdecimal() and base in ("SIGRTMIN", "SIGRTMAX"):
            return int(getattr(signal, base)) + int(mark + step)
    member = signal.Signals.__members__.get(name)
    return None if member is None else int(member)


def signal_name(number: int) -> str:
    """Return the name of a signal, ``SIGTERM`` for 15, or its digits where it has none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
