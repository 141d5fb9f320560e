"""StdoutStream: the daemon's own standard output."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(kw_only=True, eq=False)
class StdoutStream(Stream):
    """Write output to the daemon's standard output, as it came."""

    def __call__(self, data: Mapping[str, Any], /) -> None:
        """Write one piece."""
        write_stdout(data["data"])


_one_at_a_time = threading.Lock()


def write_stdout(data: bytes) -> None:
    """Write bytes to standard output at once, also where that is a text in memory.

    Every byte is written, no matter who has set O_NONBLOCK, which we share with all that have
    inherited it. Pieces of several streams do not mix.
    """
    with _one_at_a_time:
        api.write_standard(sys.stdout, data)
