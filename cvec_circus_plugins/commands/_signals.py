"""How a signal in a request is read."""

from __future__ import annotations

from cvec_circus_core import api


def checked_signal(value: int | str) -> int:
    """Return the number of a signal. Raises `BadMessage`."""
    try:
        return api.read_signal(value)
    except ValueError as error:
        raise api.BadMessage(f"{value!r} isn't {error}") from None
