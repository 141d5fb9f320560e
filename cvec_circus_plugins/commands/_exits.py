"""How a process ended, for people."""

from __future__ import annotations


def exit_text(code: int) -> str:
    """Return an exit code, or the name of the signal that ended the process."""
    if code >= 0:
        return str(code)
    from signal import Signals

    try:
        return Signals(-code).name
    except ValueError:
        return f"signal {-code}"
