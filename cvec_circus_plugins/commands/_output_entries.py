"""Output of one process as it stands in a reply of tail, and in an event."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cvec_circus_core.api import OutputView


def output_entry(view: OutputView, limit: int) -> dict[str, Any]:
    """Return the entry of one process, with its last bytes up to a limit."""
    data = view.data[-limit:]
    entry: dict[str, Any] = {
        "process_id": view.wid,
        "process_pid": view.pid,
        "ended": view.ended,
        "end": view.end,
    }
    try:
        entry["data"] = data.decode()
    except UnicodeDecodeError:
        entry |= {"data": b64encode(data).decode(), "encoding": "base64"}
    return entry


def bytes_of(entry: Mapping[str, Any]) -> bytes:
    """Return the bytes of an entry, or of an event, whichever way they were sent."""
    text: str = entry["data"]
    return b64decode(text) if entry.get("encoding") == "base64" else text.encode()


def heading(entry: Mapping[str, Any], watcher: str = "") -> str:
    """Return the line above the output of one process; ``watcher`` stands before it."""
    ended = ", ended" if entry.get("ended") else ""
    return f"==> {watcher}process {entry['process_id']} (pid {entry['process_pid']}{ended}) <==\n"
