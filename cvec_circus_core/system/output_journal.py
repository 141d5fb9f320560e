"""What is under way between a pipe and a file, in memory that outlives the daemon.

A daemon may be killed at any instruction. What it has taken from a pipe and not written yet would
be gone with it, and what it has written and not noted would be written again. So both are noted in
areas of one file in memory, whose descriptor somebody else holds (`StateStore.hold`).

An area is a page with fields, and room for bytes behind it. Its state is one byte, which is stored
last, and each position is stored in one instruction, so an area is never half of two states:

    FREE       nobody's
    HAVE       the bytes from ``start`` to ``end`` are to be delivered, or to be written
    READING    ``count`` bytes are about to be read from a pipe to where ``origin`` is
    WRITING    ``count`` bytes from ``origin`` on are about to be appended to a file

A pipe is read for so many bytes as it has, and such a read is not interrupted half-way: afterwards
the bytes that were there before, `_MARKER`, are there still, or all have been read. A file has
grown by what was written. Positions count from the first byte of the area's owner, so that a late
word about one is never taken for another.

A piece that is written to a file names the pipe that it came from, and how far: that it is on its
way to the file and that it is no longer the pipe's is one store.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading

from cvec_circus_core.model.values import Struct, field

FREE, HAVE, READING, WRITING = range(4)
PIPE, SINK = range(2)

PAGE = 4096
ROOM = 2 << 20
"""Bytes of an area: more than a pipe may have under way, unfinished lines included."""
_SIZE = PAGE + ROOM
_RESIDENT = 16
"""Areas that keep their memory when nobody uses them."""
_MAGIC = b"circus output 1\n"
_MARKER_AT = 96
_MARKER_SIZE = 16
_KEY_AT, _KEY_LIMIT = 128, 1024
_PATH_AT, _PATH_LIMIT = 1280, PAGE - 1280
_HEAD = struct.Struct("BBHHxxQQQQ")
"""State, kind, sizes of key and path, owner, base, start, end."""
_POSITION = struct.Struct("Q")
OWNER, BASE, START, END, ORIGIN, COUNT = range(8, 56, 8)
DEVICE, INODE, FILE_SIZE, SOURCE, SOURCE_POSITION = range(56, 96, 8)


class Area:
    """One area, with fields and room."""

    def __init__(self, descriptor: int, number: int) -> None:
        self.number = number
        self.map = mmap.mmap(descriptor, _SIZE, offset=PAGE + number * _SIZE)
        self.bytes = memoryview(self.map)[PAGE:]

    @property
    def state(self) -> int:
        """What it is in the middle of."""
        return self.map[0]

    @state.setter
    def state(self, state: int) -> None:
        self.map[0] = state

    @property
    def kind(self) -> int:
        """Whether it is a pipe's or a sink's."""
        return self.map[1]

    @property
    def key(self) -> bytes:
        """Whose it is."""
        size = struct.unpack_from("H", self.map, 2)[0]
        return bytes(self.map[_KEY_AT : _KEY_AT + size])

    @property
    def path(self) -> bytes:
        """The file that is written to."""
        size = struct.unpack_from("H", self.map, 4)[0]
        return bytes(self.map[_PATH_AT : _PATH_AT + size])

    @path.setter
    def path(self, path: bytes) -> None:
        path = path[:_PATH_LIMIT]
        self.map[_PATH_AT : _PATH_AT + len(path)] = path
        struct.pack_into("H", self.map, 4, len(path))

    def __getitem__(self, position: int) -> int:
        number: int = _POSITION.unpack_from(self.map, position)[0]
        return number

    def __setitem__(self, position: int, value: int) -> None:
        _POSITION.pack_into(self.map, position, value)

    def begin(self, kind: int, key: bytes, owner: int, start: int, end: int) -> None:
        """Be somebody's; what is between the two positions stands at its beginning already."""
        key = key[:_KEY_LIMIT]
        self.map[_KEY_AT : _KEY_AT + len(key)] = key
        _HEAD.pack_into(self.map, 0, FREE, kind, len(key), 0, owner, start, start, end)
        self.state = HAVE

    def content(self) -> bytes:
        """Return what is to be delivered."""
        base = self[BASE]
        return bytes(self.bytes[self[START] - base : self[END] - base])

    def expect(self, count: int) -> memoryview:
        """Note that so many bytes are about to be read; return where to."""
        end = self[END]
        at = end - self[BASE]
        room = self.bytes[at : at + count]
        room[:_MARKER_SIZE] = _MARKER[:count]
        self[ORIGIN], self[COUNT] = end, count
        self.map[_MARKER_AT : _MARKER_AT + _MARKER_SIZE] = _MARKER
        self.state = READING
        return room

    def arrived(self, count: int) -> None:
        """Note that so many were read."""
        self[END] = self[ORIGIN] + count
        self.state = HAVE

    def settle_reading(self, available: int) -> None:
        """Find out whether an interrupted read has happened: so many bytes are in the pipe now."""
        count, at = self[COUNT], self[ORIGIN] - self[BASE]
        size = min(count, _MARKER_SIZE)
        marker = self.map[_MARKER_AT : _MARKER_AT + size]
        is_read = available < count or self.bytes[at : at + size] != marker
        self.arrived(count if is_read else 0)


_MARKER = os.urandom(_MARKER_SIZE)


def new_owner() -> int:
    """Return a number that no other pipe has, not even one of an earlier daemon."""
    return int.from_bytes(os.urandom(8), "big") >> 1


class OutputJournal(Struct, eq=False):
    """All areas of one daemon."""

    descriptor: int
    left: list[Area] = field(default_factory=list)
    """Those that an earlier daemon has left, and nobody has gone on with."""
    free: list[Area] = field(default_factory=list)
    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def new(cls) -> OutputJournal:
        """Make an empty one. Raises OSError."""
        descriptor = os.memfd_create("output", os.MFD_CLOEXEC)
        os.pwrite(descriptor, _MAGIC, 0)
        return cls(descriptor)

    @classmethod
    def inherited(cls, descriptor: int) -> OutputJournal:
        """Go on with one. Raises OSError, ValueError for one that can not be read."""
        if os.pread(descriptor, len(_MAGIC), 0) != _MAGIC:
            raise ValueError("is of another form")
        journal = cls(descriptor)
        journal.count = max(0, os.fstat(descriptor).st_size - PAGE) // _SIZE
        for number in range(journal.count):
            area = Area(descriptor, number)
            (journal.free if area.state == FREE else journal.left).append(area)
        journal._settle_sources()
        return journal

    def _settle_sources(self) -> None:
        """Let pipes have no longer what is on its way to a file."""
        written = {area[SOURCE]: area[SOURCE_POSITION] for area in self.left if area.kind == SINK}
        pipes = [area for area in self.left if area.kind == PIPE]
        for area in pipes:
            area[START] = max(area[START], written.get(area[OWNER], 0))
        # One that took another's place was to have all that the other had.
        for area in pipes:
            if any(other[OWNER] == area[OWNER] and other[BASE] > area[BASE] for other in pipes):
                self.left.remove(area)
                self.release(area)

    def take_left(self, kind: int, key: bytes) -> Area | None:
        """Return what an earlier daemon has left of this owner; it is the caller's now."""
        key = key[:_KEY_LIMIT]
        for area in self.left:
            if area.kind == kind and area.key == key:
                self.left.remove(area)
                return area
        return None

    def acquire(self) -> Area:
        """Return an area for the caller to begin. Raises OSError where there is no memory."""
        with self.lock:
            return self.free.pop() if self.free else self._one_more()

    def release(self, area: Area) -> None:
        """Give an area back."""
        area.state = FREE
        if area.number >= _RESIDENT:
            area.map.madvise(mmap.MADV_REMOVE)
        with self.lock:
            self.free.append(area)

    def left_of(self, kind: int, prefix: bytes) -> list[bytes]:
        """Return the keys that begin so, of what an earlier daemon has left."""
        keys = [area.key for area in self.left if area.kind == kind]
        return [key for key in keys if key.startswith(prefix)]

    def drop_left(self) -> None:
        """Forget what nobody has gone on with."""
        while self.left:
            self.release(self.left.pop())

    def _one_more(self) -> Area:
        os.ftruncate(self.descriptor, PAGE + (self.count + 1) * _SIZE)
        area = Area(self.descriptor, self.count)
        self.count += 1
        return area
