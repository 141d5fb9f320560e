"""A prefix for every line, with the time and the pid.

Pieces of output usually end with a line's end. One that does not leaves its line open: its rest
gets no prefix of its own, and another process that speaks meanwhile gets a new line first.
"""

from __future__ import annotations

import re
from datetime import datetime
from string import Formatter
from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

USUAL_PREFIX = "{time} [{pid}] | "
USUAL_TIME = "%Y-%m-%d %H:%M:%S"

_WIDE = re.compile(r"\d{3}|[{]")
"""A width of more than two digits, or one that comes from another field."""

_SAMPLE = {"time": "", "pid": 1, "wid": 1, "watcher": "", "name": ""}


class Stamp:
    """Puts a prefix before every line. Raises `Fault` for one that can not be filled in."""

    def __init__(self, time_format: str | None, prefix: str | None = None) -> None:
        self._time_format = time_format or USUAL_TIME
        self._prefix = USUAL_PREFIX if prefix is None else prefix
        self._open: tuple[Any, Any] | None = None
        """Whose line has not ended yet."""
        self._second = -1
        self._time = ""
        try:
            _check_fields(self._prefix)
            self._prefix.format_map(_SAMPLE)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            fields = ", ".join(f"{{{name}}}" for name in _SAMPLE)
            raise Fault("prefix", f"can not be filled in: {error}", fields) from None

    def __call__(self, data: Mapping[str, Any], at: float) -> bytes:
        """Return a piece of output with its prefixes."""
        text: bytes = data["data"]
        if not text:
            return text
        who = (data.get("pid"), data.get("name"))
        prefix = self._filled_in(data, at)
        is_over = text.endswith(b"\n")
        stamped = text.replace(b"\n", b"\n" + prefix, text.count(b"\n") - is_over)
        if self._open != who:
            stamped = (b"" if self._open is None else b"\n") + prefix + stamped
        self._open = None if is_over else who
        return stamped

    def _filled_in(self, data: Mapping[str, Any], at: float) -> bytes:
        if int(at) != self._second or "%f" in self._time_format:
            # Thousands of pieces are of one second.
            self._second = int(at)
            self._time = datetime.fromtimestamp(at).strftime(self._time_format)
        values = {key: data.get(key, "") for key in _SAMPLE} | {"time": self._time}
        return self._prefix.format_map(values).encode(errors="surrogateescape")


def _check_fields(prefix: str) -> None:
    """Let nothing of Python's own format language through but names and short widths.

    ``{time:>999999999}`` would fill the memory with every line. Raises ValueError and KeyError.
    """
    for _, field, spec, _ in Formatter().parse(prefix):
        if field is None:
            continue
        if field not in _SAMPLE:
            raise KeyError(field)
        if _WIDE.search(spec or ""):
            raise ValueError(f"{{{field}:{spec}}} is too wide")
