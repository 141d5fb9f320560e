"""What a process says of itself on its notify socket: the lines of sd_notify(3).

Only what a supervisor can use is read; the rest, and what can not be read, is passed over, as the
protocol asks for.
"""

from __future__ import annotations

from cvec_circus_core.model.values import Struct

LONGEST = 4096
"""Bytes of one message; what is longer is no notice."""


class Notice(Struct, frozen=True):
    """One message of a process."""

    ready: bool = False
    stopping: bool = False
    status: str | None = None
    alive: bool = False
    """It pings its watchdog."""
    troubled: bool = False
    """It asks to be treated as if the ping had not come."""
    interval: float | None = None
    """Seconds between two pings from now on."""
    extension: float | None = None
    """Seconds from now that it wants to have for becoming ready."""


def read_notice(message: bytes) -> Notice:
    """Return what a message says."""
    fields: dict[str, str] = {}
    for line in message[:LONGEST].decode(errors="replace").split("\n"):
        name, mark, value = line.partition("=")
        if mark:
            fields[name] = value
    return Notice(
        ready=fields.get("READY") == "1",
        stopping=fields.get("STOPPING") == "1",
        status=_printable(fields["STATUS"]) if "STATUS" in fields else None,
        alive=fields.get("WATCHDOG") == "1",
        troubled=fields.get("WATCHDOG") == "trigger",
        interval=_seconds(fields.get("WATCHDOG_USEC")),
        extension=_seconds(fields.get("EXTEND_TIMEOUT_USEC")),
    )


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _seconds(microseconds: str | None) -> float | None:
    # Longer numbers are no times, and would be no floats.
    if microseconds is None or not microseconds.isdecimal() or len(microseconds) > 18:
        return None
    return int(microseconds) / 1e6
