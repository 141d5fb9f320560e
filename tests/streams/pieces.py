"""Pieces of output as the daemon gives them to a stream."""

from __future__ import annotations

from datetime import datetime
from typing import Any

NOON = datetime(2024, 3, 5, 12, 0, 0).timestamp()
"""A moment of local time."""


def piece(
    data: bytes, pid: int = 7, name: str = "stdout", at: float = NOON, **more: Any
) -> dict[str, Any]:
    """Return one piece of output."""
    shared = {"pid": pid, "name": name, "data": data, "timestamp": at}
    return {**shared, "watcher": "web", "wid": 1, **more}
