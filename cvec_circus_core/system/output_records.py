"""What one pipe and one sink note in the output journal, so that a later daemon can go on.

A pipe has what it was read for until a sink has taken it. A sink that appends to a file notes what
a piece becomes before it writes; any other notes nothing: its last piece may come twice.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import termios
import threading
from typing import NamedTuple

from cvec_circus_core.model.names import name_key
from cvec_circus_core.system import output_journal as areas
from cvec_circus_core.system.output_journal import Area, OutputJournal

_NUMBER = bytes(4)


class Receipt(NamedTuple):
    """A piece that is on its way: whose it is, and up to where in all that was read."""

    pipe: PipeRecord | None
    position: int = 0

    def done(self) -> None:
        """Say that the sink has taken it, or has failed to."""
        if self.pipe is not None:
            self.pipe.took(self.position)


NO_RECEIPT = Receipt(None)


class PipeRecord:
    """Reads one pipe, and remembers what was read until it was taken."""

    def __init__(self, journal: OutputJournal, key: bytes) -> None:
        self._journal = journal
        self._key = key
        self._lock = threading.Lock()
        self._area = journal.take_left(areas.PIPE, key)
        self.owner = areas.new_owner() if self._area is None else self._area[areas.OWNER]
        self._end = self._given = 0

    def left(self, fd: int | None) -> bytes:
        """Return what an earlier daemon has read and not delivered; there is no pipe any more, or
        this one."""
        area = self._area
        if area is None:
            return b""
        if area.state == areas.READING:
            area.settle_reading(0 if fd is None else _available(fd))
        self._end, self._given = area[areas.END], area[areas.START]
        content = area.content()
        if not content:
            self.took(self._end)
        return content

    def read(self, fd: int, most: int) -> bytes:
        """Read what is in the pipe; nothing means its end. Raises OSError.

        BlockingIOError means that there is nothing now.
        """
        count = min(_available(fd), most)
        if not count:
            if _is_over(fd):
                return b""
            raise BlockingIOError
        with self._lock:
            area = self._area_for(count)
            room = area.expect(count)
            size = os.readv(fd, [room])
            area.arrived(size)
            self._end += size
            return bytes(room[:size])

    def give(self, size: int) -> Receipt:
        """Tell that so many more bytes, in the order in which they came, are given to a sink."""
        self._given += size
        return Receipt(self, self._given)

    def took(self, position: int) -> None:
        """Be told that everything up to a position was taken."""
        with self._lock:
            area = self._area
            if area is None:
                return
            area[areas.START] = position
            if position == self._end:
                self._area = None
                self._journal.release(area)

    def _area_for(self, count: int) -> Area:
        area = self._area
        if area is not None and self._end - area[areas.BASE] + count <= areas.ROOM:
            return area
        new = self._journal.acquire()
        content = b"" if area is None else area.content()
        new.bytes[: len(content)] = content
        start = self._end - len(content)
        new.begin(areas.PIPE, self._key, self.owner, start, self._end)
        if area is not None:
            self._journal.release(area)
        self._area = new
        return new


class PlainPipe:
    """Reads one pipe, and remembers nothing."""

    def left(self, fd: int | None) -> bytes:
        """Return nothing."""
        return b""

    def read(self, fd: int, most: int) -> bytes:
        """Read what is in the pipe; nothing means its end. Raises OSError."""
        return os.read(fd, most)

    def give(self, size: int) -> Receipt:
        """Take no notice."""
        return NO_RECEIPT


def record_of(journal: OutputJournal | None, key: bytes) -> PipeRecord | PlainPipe:
    """Return what reads the pipe of this key."""
    return PlainPipe() if journal is None else PipeRecord(journal, key)


def pipe_key(watcher: str, wid: int, pid: int, channel: str) -> bytes:
    """Return what the pipe of a process is called in the journal."""
    words = (name_key(watcher), str(wid), str(pid), channel)
    return "\0".join(words).encode(errors="surrogateescape")


class SinkRecord:
    """Notes what a sink is about to append to its file."""

    def __init__(self, journal: OutputJournal, key: bytes) -> None:
        self._journal = journal
        self._key = key
        self._area: Area | None = None
        self._path = ""
        self.source = NO_RECEIPT
        """Where the piece that is being written comes from."""

    def rest(self) -> bytes:
        """Return what an earlier daemon was about to write and has not written."""
        area = self._area = self._journal.take_left(areas.SINK, self._key)
        if area is None:
            return b""
        if area.state == areas.WRITING:
            self.appended(_written(area))
        return area.content()

    def begin(self, text: bytes) -> None:
        """Note all that a piece becomes; one that is too long is not noted."""
        if self.source.pipe is None or len(text) > areas.ROOM:
            return
        area = self._area = self._journal.acquire()
        area.bytes[: len(text)] = text
        area[areas.SOURCE] = self.source.pipe.owner
        area[areas.SOURCE_POSITION] = self.source.position
        area.begin(areas.SINK, self._key, 0, 0, len(text))
        self._path = ""

    def appending(self, path: str, fd: int, count: int) -> None:
        """Note that the next bytes of it are about to be appended to a file."""
        area = self._area
        if area is None:
            return
        if path != self._path:
            self._path, area.path = path, os.fsencode(path)
        status = os.fstat(fd)
        area[areas.DEVICE], area[areas.INODE] = status.st_dev, status.st_ino
        area[areas.FILE_SIZE] = status.st_size
        area[areas.ORIGIN], area[areas.COUNT] = area[areas.START], count
        area.state = areas.WRITING

    def appended(self, count: int) -> None:
        """Note that so many of them are written."""
        area = self._area
        if area is not None:
            area[areas.START] = area[areas.ORIGIN] + count
            area.state = areas.HAVE

    def end(self) -> None:
        """Note that the piece is written, or lost."""
        area, self._area = self._area, None
        if area is not None:
            self._journal.release(area)


def _available(fd: int) -> int:
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, _NUMBER), sys.byteorder)


def _is_over(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    events = dict(poll.poll(0)).get(fd, 0)
    return bool(events & select.POLLHUP) and not events & select.POLLIN


def _written(area: Area) -> int:
    """Return how many of the bytes that were about to be written are in the file."""
    start = area[areas.ORIGIN] - area[areas.BASE]
    text = bytes(area.bytes[start : start + area[areas.COUNT]])
    noted = _find_noted(area)
    if noted is None:
        return 0
    path, size = noted
    grown = max(0, size - area[areas.FILE_SIZE])
    try:
        with open(path, "rb") as file:
            file.seek(area[areas.FILE_SIZE])
            tail = file.read(grown)
    except OSError:
        return min(grown, len(text))
    # What others have appended since may stand before it, or after it.
    if text in tail:
        return len(text)
    return len(tail) if text.startswith(tail) else 0


def _find_noted(area: Area) -> tuple[str, int] | None:
    """Return the file that was written to, which may have another name by now, and its size."""
    path = os.fsdecode(area.path)
    folder, name = os.path.split(path)
    try:
        others = [entry.path for entry in os.scandir(folder) if entry.name.startswith(name)]
    except OSError:
        others = []
    for each in (path, *others):
        try:
            status = os.stat(each)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == (area[areas.DEVICE], area[areas.INODE]):
            return each, status.st_size
    return None
