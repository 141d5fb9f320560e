"""StdoutStream: the daemon's own standard output."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(kw_only=True, eq=False)
class StdoutStream(Stream):
    """Write output to the daemon's standard output, as it came."""

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Write one piece."""
        write_stdout(data["data"])


def write_stdout(data: bytes) -> None:
    """Write bytes to standard output at once, also where that is a text in memory."""
    out = sys.stdout
    binary = getattr(out, "buffer", None)
    if binary is None:
        out.write(data.decode(errors="replace"))
    else:
        binary.write(data)
    out.flush()
