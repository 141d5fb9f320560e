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
    said: dict[str, str] = {}
    for line in message[:LONGEST].decode(errors="replace").split("\n"):
        name, mark, value = line.partition("=")
        if mark:
            said[name] = value
    return Notice(
        ready=said.get("READY") == "1",
        stopping=said.get("STOPPING") == "1",
        status=_printable(said["STATUS"]) if "STATUS" in said else None,
        alive=said.get("WATCHDOG") == "1",
        troubled=said.get("WATCHDOG") == "trigger",
        interval=_seconds(said.get("WATCHDOG_USEC")),
        extension=_seconds(said.get("EXTEND_TIMEOUT_USEC")),
    )


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() else "?" for one in text)


def _seconds(microseconds: str | None) -> float | None:
    # Longer numbers are no times, and would be no floats.
    if microseconds is None or not microseconds.isdecimal() or len(microseconds) > 18:
        return None
    return int(microseconds) / 1e6
