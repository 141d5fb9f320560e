"""What a watcher wrote before what the daemon keeps: the files that its stream has written.

A console reads them itself, so it does so only where it runs as the daemon's user on the same
machine: then it can read nothing that the daemon could not. Files are reached as streams reach
them, without being led elsewhere by somebody with fewer rights. A place in them is told by inode
and offset, because a rotation gives a file another name meanwhile.
"""

from __future__ import annotations

import gzip
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from cvec_circus_core.api import BadMessage, SystemProblem, hold, listener_uid

LINES = 500
"""Lines that are told at once, at most."""
_CHUNK = 256 * 1024
_SKIPPED_AT_MOST = 4 << 20
_UNPACKED_AT_MOST = 64 << 20
_NEAR = 200
"""How many lines off the place may be that the count of lines leads to."""
_PACKED = ".gz"


@dataclass(frozen=True, slots=True)
class OlderOutput:
    """A piece of a file: whole lines, and from where the next older piece goes back."""

    lines: Sequence[str]
    file: str
    cursor: str | None
    """None at the beginning of the oldest file."""


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows already: how many lines, and how the first one reads."""

    lines: int = 0
    first: str = ""


def file_of(options: Mapping[str, Any], channel: str) -> str | None:
    """Return the file that a channel of a watcher is written to, by its options."""
    stream = options.get(f"{channel}_stream_conf")
    name = stream.get("filename") if isinstance(stream, dict) else None
    return name if isinstance(name, str) and os.path.isabs(name) else None


def check_same_user(endpoint: str) -> None:
    """Raise `BadMessage` where the console could read what the daemon can not."""
    if listener_uid(endpoint) != os.geteuid():
        raise BadMessage("files are read where the console runs beside the daemon, as its user")


def read_older(path: str, cursor: str | None, view: View) -> OlderOutput:
    """Return what stands before a place, or before what a page shows. Raises `BadMessage`."""
    try:
        return _read_older(path, cursor, view)
    except (OSError, SystemProblem) as error:
        raise BadMessage(f"{path} can not be read: {error}") from None


def _read_older(path: str, cursor: str | None, view: View) -> OlderOutput:
    names = _names(path)
    inode, _, place = (cursor or "").partition("-")
    for number, name in enumerate(names):
        with opened(path, name) as (file, size):
            if cursor is not None and inode != str(os.fstat(file.fileno()).st_ino):
                continue
            offset = min(int(place), size) if place.isdigit() else size
            if cursor is None:
                offset = _place_before(file, size, view)
            lines, begin = _lines_before(file, offset)
            own_inode = os.fstat(file.fileno()).st_ino
        if begin > 0:
            return OlderOutput(lines, name, f"{own_inode}-{begin}")
        return OlderOutput(lines, name, _end_of_next(path, names[number + 1 :]))
    return OlderOutput((), os.path.basename(path), None)


def _end_of_next(path: str, names: Sequence[str]) -> str | None:
    for name in names:
        with opened(path, name) as (file, size):
            if size:
                return f"{os.fstat(file.fileno()).st_ino}-{size}"
    return None


def _names(path: str) -> list[str]:
    """Return the file and its backups, newest first."""
    with hold(path) as spot:
        backups = [name for name in spot.names() if name.startswith(f"{spot.name}.")]
        ages = {name: spot.named(name).look().st_mtime_ns for name in backups}
        return [spot.name, *sorted(backups, key=ages.__getitem__, reverse=True)]


@contextmanager
def opened(path: str, name: str | None = None) -> Iterator[tuple[BinaryIO, int]]:
    """Open a stream's file, or one of its backups, and tell its size.

    Raises OSError and `SystemProblem`.
    """
    with hold(path) as held:
        spot = held if name is None else held.named(name)
        flags = os.O_RDONLY | os.O_NONBLOCK
        fd = spot.open(flags, welcome={spot.look().st_uid})
    with open(fd, "rb") as raw:
        if not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
            raise SystemProblem(f"{path} is no plain file")
        if not spot.name.endswith(_PACKED):
            yield raw, os.fstat(raw.fileno()).st_size
            return
        with gzip.GzipFile(fileobj=raw) as packed:
            size = len(packed.read(_UNPACKED_AT_MOST))
            packed.seek(0)
            yield packed, size  # type: ignore[misc]  # what is needed of it, it has


def _lines(data: bytes) -> list[bytes]:
    """Return lines with their ends; a carriage return is none."""
    return re.findall(rb"[^\n]*\n|[^\n]+", data)


def _lines_before(file: BinaryIO, offset: int) -> tuple[list[str], int]:
    """Return the last whole lines before an offset, and where they begin."""
    start = max(0, offset - _CHUNK)
    file.seek(start)
    data = file.read(offset - start)
    if start and (end := data.find(b"\n") + 1) and end < len(data):
        start, data = start + end, data[end:]
    lines = _lines(data)
    start += sum(map(len, lines[:-LINES]))
    return [line.decode(errors="replace").rstrip("\r\n") for line in lines[-LINES:]], start


def _place_before(file: BinaryIO, size: int, view: View) -> int:
    """Return where what a page shows begins in the file.

    It is counted from the end; the first line that is shown puts right what was written meanwhile.
    """
    start = max(0, size - _SKIPPED_AT_MOST)
    file.seek(start)
    lines = _lines(file.read(size - start))
    place = max(0, len(lines) - view.lines)
    first_line = view.first.encode()
    near = [
        number
        for number in range(max(0, place - _NEAR), min(len(lines), place + _NEAR))
        if first_line and lines[number].rstrip(b"\r\n").endswith(first_line)
    ]
    if near:
        place = min(near, key=lambda number: abs(number - place))
    return start + sum(map(len, lines[:place]))
