"""FancyStdoutStream: the daemon's standard output, in colours."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Stream, option
from cvec_circus_plugins.streams._line_prefix import USUAL_TIME
from cvec_circus_plugins.streams.stdout import write_stdout

if TYPE_CHECKING:
    from collections.abc import Mapping

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36, "white": 37}
_BACKGROUND = 40
_RESET = "\x1b[0m"


@dataclass(kw_only=True, eq=False)
class FancyStdoutStream(Stream):
    """Write every line that is not empty to standard output, coloured, with time and pid.

    It is coloured whatever standard output is, for the escapes may reach a terminal later. Where
    ``NO_COLOR`` is set in the daemon's environment, it is not.
    """

    color: str | None = option(
        None, api.or_none(api.TEXT), f"{', '.join(COLOURS)}; any of them when not given"
    )
    time_format: str = option(USUAL_TIME, api.TEXT, "strftime format of the time")
    _begin: str = field(init=False, repr=False)
    _end: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read all options, and choose the colour."""
        super().__post_init__()
        self.whole_lines = True
        colour = (self.color or "").strip().lower()
        self.color = colour if colour in COLOURS else secrets.choice(tuple(COLOURS))
        is_plain = bool(os.environ.get("NO_COLOR"))
        self._begin = "" if is_plain else f"\x1b[{COLOURS[self.color]};{_BACKGROUND}m"
        self._end = "" if is_plain else _RESET

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Write the lines of one piece."""
        at = data.get("timestamp")
        moment = datetime.fromtimestamp(api.unix_time() if at is None else at)
        prefix = f"{self._begin}{moment.strftime(self.time_format)} [{data['pid']}] | "
        lines = data["data"].decode(errors="replace").split("\n")
        text = "".join(f"{prefix}{line}{self._end}\n" for line in lines if line)
        write_stdout(text.encode())
