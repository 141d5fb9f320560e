"""Output of processes as it stands in replies of tail and in events, and as it is printed."""

from __future__ import annotations

from base64 import b64decode, b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cvec_circus_core.api import OutputLine, OutputView

STDERR = "stderr"


def output_entry(view: OutputView, limit: int) -> dict[str, Any]:
    """Return the entry of one process, with its last bytes up to a limit."""
    return {
        "process_id": view.wid,
        "process_pid": view.pid,
        "ended": view.ended,
        "end": view.end,
        **as_json(view.data[-limit:]),
    }


def merged_entries(watcher: str, lines: Iterable[OutputLine], limit: int) -> list[dict[str, Any]]:
    """Return an entry for each run of lines of one process and channel, the last up to a limit.

    A run that is longer by itself begins with a whole line, unless its last line is longer.
    """
    runs: list[tuple[OutputLine, bytearray]] = []
    for line in lines:
        if runs and _source(runs[-1][0]) == _source(line) and runs[-1][1].endswith(b"\n"):
            runs[-1][1].extend(line.data)
        else:
            runs.append((line, bytearray(line.data)))
    entries: list[dict[str, Any]] = []
    for first, data in reversed(runs):
        if limit <= 0:
            break
        if len(data) > limit and not entries:
            del data[: data.find(b"\n", len(data) - limit - 1, -1) + 1 or -limit]
        limit -= len(data)
        entries.append(
            {
                "watcher": watcher,
                "process_id": first.wid,
                "process_pid": first.pid,
                "channel": first.channel,
                "time": first.time,
                "ended": first.ended,
                **as_json(bytes(data)),
            }
        )
    return entries[::-1]


def as_json(data: bytes) -> dict[str, str]:
    """Return bytes as JSON can tell them: a text, or base64 where they are none."""
    try:
        return {"data": data.decode()}
    except UnicodeDecodeError:
        return {"data": b64encode(data).decode(), "encoding": "base64"}


def bytes_of(entry: Mapping[str, Any]) -> bytes:
    """Return the bytes of an entry, or of an event, whichever way they were sent."""
    text: str = entry["data"]
    return b64decode(text) if entry.get("encoding") == "base64" else text.encode()


def heading(entry: Mapping[str, Any], watcher: str = "") -> str:
    """Return the line above the output of one process; ``watcher`` stands before it."""
    ended = ", ended" if entry.get("ended") else ""
    return f"==> {watcher}process {entry['process_id']} (pid {entry['process_pid']}{ended}) <==\n"


def prefix_of(entry: Mapping[str, Any]) -> bytes:
    """Return what stands before a line where several processes are shown."""
    mark = " err" if entry["channel"] == STDERR else ""
    return f"{entry['watcher']}:{entry['process_id']}{mark} | ".encode()


class LinePrinter:
    """Puts prefixes before lines. A line without its end is gone on with, or ended for another."""

    def __init__(self, *, prefixes: bool) -> None:
        self.prefixes = prefixes
        self._open: tuple[object, ...] | None = None
        """Whose line has not ended yet."""

    def text_of(self, entry: Mapping[str, Any]) -> bytes:
        """Return what is printed of an entry."""
        source = (entry["watcher"], entry["process_pid"], entry["channel"])
        parts: list[bytes] = []
        for line in BytesIO(bytes_of(entry)):
            if self._open is not None and self._open != source:
                parts.append(b"\n")
                self._open = None
            if self.prefixes and self._open is None:
                parts.append(prefix_of(entry))
            parts.append(line)
            self._open = None if line.endswith(b"\n") else source
        return b"".join(parts)


def output_lines(reply: Mapping[str, Any]) -> list[str]:
    """Return the lines that a reply has as ``last_output``, as tail prints them."""
    printer = LinePrinter(prefixes=True)
    data = b"".join(printer.text_of(entry) for entry in reply.get("last_output", ()))
    return data.decode(errors="replace").removesuffix("\n").split("\n") if data else []


def _source(line: OutputLine) -> tuple[int, str]:
    return line.pid, line.channel
