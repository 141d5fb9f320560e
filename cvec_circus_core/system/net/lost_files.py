"""Files that others may take away, as when /tmp is swept: their loss is noticed when it happens.

inotify (Linux) watches each file itself, and each folder above it for being moved or removed. What
else happens in these folders wakes nobody. While a file is missing, the nearest folder that is
there is watched for what comes in. A look follows a moment after an event, and later each time
while files keep vanishing, since to make one again costs. Elsewhere nothing is noticed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Callable, Iterable
from pathlib import Path

_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_ATTRIB, _MOVED_TO, _CREATE, _DELETE_SELF, _MOVE_SELF = 0x4, 0x80, 0x100, 0x400, 0x800
_DONT_FOLLOW = 0x2000000
_GOES = _DELETE_SELF | _MOVE_SELF
_MOMENT, _LONGEST = 0.1, 60.0
"""Seconds between an event and the look that it brings about: at first, and at most."""
_READ = 1 << 16


class LostFiles:
    """Calls ``look`` when one of some files may be gone, or may be had again.

    ``look`` puts right what it can, and tells whether it had to. Belongs to the loop.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        paths: Callable[[], Iterable[str]],
        look: Callable[[], bool],
    ) -> None:
        self._loop = loop
        self._paths = paths
        self._look = look
        self._timer: asyncio.TimerHandle | None = None
        self._pause = _MOMENT
        self._mended_at = -_LONGEST
        self._fd = _open()
        self._watched: dict[str, int] = {}
        if self._fd is not None:
            loop.add_reader(self._fd, self._on_event)
        self.watch()

    def watch(self) -> None:
        """Watch what the paths are now."""
        if self._fd is None:
            return
        wanted: dict[str, int] = {}
        for path in self._paths():
            _add_wanted(wanted, path)
        fresh = {path: _watch(self._fd, path, mask) for path, mask in wanted.items()}
        for number in set(self._watched.values()) - set(fresh.values()):
            _unwatch(self._fd, number)
        self._watched = {path: number for path, number in fresh.items() if number >= 0}

    def close(self) -> None:
        """Notice nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = None

    def _on_event(self) -> None:
        try:
            os.read(self._fd or 0, _READ)
        except BlockingIOError:
            return
        if self._timer is None:
            self._timer = self._loop.call_later(self._pause, self._check)

    def _check(self) -> None:
        self._timer = None
        now = self._loop.time()
        if now - self._mended_at > _LONGEST:
            self._pause = _MOMENT
        if self._look():
            self._mended_at, self._pause = now, min(2 * self._pause, _LONGEST)
        self.watch()


def _add_wanted(wanted: dict[str, int], path: str) -> None:
    file = Path(os.path.abspath(path))
    if os.path.lexists(file):
        wanted[str(file)] = wanted.get(str(file), 0) | _ATTRIB | _GOES
    is_missing = not os.path.lexists(file)
    for folder in file.parents:
        mask = _GOES
        if is_missing and folder.is_dir():
            mask |= _CREATE | _MOVED_TO
            is_missing = False
        wanted[str(folder)] = wanted.get(str(folder), 0) | mask


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _open() -> int | None:
    try:
        number = int(_libc().inotify_init1(_NONBLOCK_CLOEXEC))
    except (OSError, AttributeError):
        return None
    return number if number >= 0 else None


def _watch(fd: int, path: str, mask: int) -> int:
    """Watch a file or folder; a second time, for this instead. Return its number, or -1."""
    return int(_libc().inotify_add_watch(fd, os.fsencode(path), mask | _DONT_FOLLOW))


def _unwatch(fd: int | None, number: int) -> None:
    if fd is not None and number >= 0:
        _libc().inotify_rm_watch(fd, number)
