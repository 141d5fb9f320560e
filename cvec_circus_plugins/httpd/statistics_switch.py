"""Turning on the statistics of a daemon whose configuration has none: as a watcher like any other.

The watcher lives until the daemon ends or somebody removes it. Where it publishes stands in its
arguments, so that every console finds it, also one that begins later.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

WATCHER = "circusd-stats"
_SWITCH = "--statspoint"
_NEXT_PORT = 2
"""Statistics are two above the control endpoint, as in the usual 5555 and 5557."""


def order(endpoint: str, pubsub_endpoint: str, *, is_local: bool) -> dict[str, Any]:
    """Return the properties of the command ``add`` that turns statistics on."""
    # A daemon of this machine may run without any PATH that leads to our programs.
    program = [sys.executable, "-m", "cvec_circus_cli.circusd_stats"]
    return {
        "name": WATCHER,
        "cmd": shlex.join(program if is_local else [WATCHER]),
        "args": [
            *("--endpoint", endpoint, "--pubsub", pubsub_endpoint),
            *(_SWITCH, beside(endpoint)),
        ],
        "options": {"singleton": True, "copy_env": True, "copy_path": True, "priority": 2},
        "start": True,
        "waiting": True,
    }


def beside(endpoint: str) -> str:
    """Return where statistics are published for a daemon at a control endpoint."""
    host, colon, port = endpoint.rpartition(":")
    if endpoint.startswith("tcp:") and colon and port.isdigit():
        return f"{host}:{int(port) + _NEXT_PORT}"
    return f"{endpoint}.statistics"


def added_endpoint(reply: Mapping[str, Any]) -> str | None:
    """Return where such a watcher publishes, by its options; None for any other watcher."""
    args: str | Sequence[str] = reply.get("options", {}).get("args") or ()
    # As one text where it was saved, and read again from the configuration file.
    words = args.split() if isinstance(args, str) else args
    return next((str(value) for switch, value in pairwise(words) if switch == _SWITCH), None)
