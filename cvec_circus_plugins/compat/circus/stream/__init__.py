"""Stream classes, by their older names, and with their older constructors."""

from __future__ import annotations

from collections.abc import Mapping
from queue import Empty
from typing import Any

from circus.stream.file_stream import FileStream, TimedRotatingFileStream, WatchedFileStream
from cvec_circus_core.extend.sink import Sinks
from cvec_circus_plugins.streams.fancy import FancyStdoutStream
from cvec_circus_plugins.streams.queue import QueueStream
from cvec_circus_plugins.streams.stdout import StdoutStream

__all__ = [
    "Empty",
    "FancyStdoutStream",
    "FileStream",
    "QueueStream",
    "StdoutStream",
    "TimedRotatingFileStream",
    "WatchedFileStream",
    "get_stream",
]


def get_stream(conf: Mapping[str, Any] | None, reload: bool = False) -> object:
    """Return the stream that options describe, or None where they describe none."""
    if not conf or not any(conf.get(key) for key in ("class", "stream", "filename")):
        return None
    return Sinks().make(conf)
