"""The kinds of values that several options take, and the words of those that are chosen from."""

from __future__ import annotations

from typing import Any

from cvec_circus_core.model.endpoints import endpoint
from cvec_circus_core.model.kinds import (
    ACCOUNT,
    ANYTHING,
    INTEGER,
    LOWER,
    NAMES,
    OCTAL,
    SIGNAL,
    TEXT,
    at_least,
    between,
    each,
    or_none,
)
from cvec_circus_core.model.options import Needs, family
from cvec_circus_core.model.quantities import DURATION, SIZE

COUNT = at_least(INTEGER, 0)
SECONDS = at_least(DURATION, 0)
BYTES = at_least(SIZE, 0)

PORT = between(INTEGER, 0, 65535)
OPTIONAL_TEXT = or_none(TEXT)
OPTIONAL_NAME = or_none(LOWER)
LOWER_NAMES = each(NAMES, str.lower)
OPTIONAL_ACCOUNT = or_none(ACCOUNT)
OPTIONAL_OCTAL = or_none(OCTAL)
OPTIONAL_SIGNAL = or_none(SIGNAL)
OOM_SCORE = or_none(between(INTEGER, -1000, 1000))
ENDPOINT = endpoint("tcp", "ipc", "inproc")
OPTIONAL_ENDPOINT = or_none(ENDPOINT)
MULTICAST = or_none(endpoint("udp"))

RETRY, STOP, EXIT = "retry", "stop", "exit"
"""What may follow on a failure."""

IGNORE = "ignore"
ADOPT = "adopt"
"""What else may follow on the death of a daemon."""


def stream_options(channel: str, output: str) -> Any:
    """Declare where the output of one channel goes."""
    return family(
        f"{channel}_stream.",
        ANYTHING,
        f"where {output} goes: class, filename, and what the class takes",
        changing=Needs.NEW_STREAMS,
        aliases=(f"{channel}_stream_conf",),
    )
