"""How many descriptors we may have, and how few of them a child gets to see.

The daemon needs descriptors by the thousand, so `raise_nofile_limit` lifts its soft limit to the
hard one. Children must get the original back: a program that sees a million may loop over them
all, and one that uses select() breaks. There are two ways to hand the original back:

* set our own limit to it for the moment of the spawn. Free, but for that moment nobody in this
  process can open a descriptor above the original, so it is done only while low numbers are free;
* set it in the child between fork and exec. Always right, and five times as slow, because running
  Python there forbids vfork.

`move_up` keeps the first way open: what lives long goes above the original limit, and the low
numbers stay free for what comes and goes. Some stay free also where the soft limit was the hard one
from the start: then a limit that somebody lowers below what is in use leaves room for callers.

Linux doubles the table of descriptors as it fills, and a process with threads waits each time until
every processor has passed a quiet moment: 10 to 30 ms, in the middle of a thousand starts. So
`make_room` has it grow once, before there are threads.

libzmq ends the whole program where it has no descriptor for a connection to a Unix socket. So some
are kept free of processes (`check_room`), connections that take the last ones are ended, and none
is accepted where there is none left (`net/accept_gate.py`).
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from cvec_circus_core.model.errors import CannotSpawn

_TOO_MANY = "this daemon has too many open files (limit nofile)"
_SPARE = 64
"""So many low numbers must be free before the limit is lowered for a moment."""
_LOW, _FOR_CONNECTIONS, _LAST = 128, 256, 64
"""Low numbers for what comes and goes, descriptors that no process is started with, and those that
no connection gets; an eighth of a low limit each."""
_VERY_LAST = 2
_LARGEST_TABLE = 65_535
"""A table for so many descriptors takes half a megabyte; who has more may wait for it."""


class NofileLimit:
    """The limit of descriptors that this process was started with, and has now."""

    def __init__(self) -> None:
        self.original = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.current = self.original
        self._lowest_for_long = self._lowest()
        """The lowest number for a descriptor that lives long; each start asks some times."""

    @property
    def is_raised(self) -> bool:
        """Tell whether children need the original back."""
        return self.current[0] != self.original[0]

    def _lowest(self) -> int:
        soft = self.original[0]
        if self.is_raised and soft >= 0:
            return soft
        return _LOW if soft < 0 else min(_LOW, soft // 8)

    def raise_to_hard(self) -> int:
        """Lift the soft limit as far as the system lets us; return it."""
        if not self.is_raised:
            self.original = resource.getrlimit(resource.RLIMIT_NOFILE)
        soft, hard = self.original
        for limit in _steps(soft, hard):
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            except (ValueError, OSError):
                continue
            self.current = (limit, hard)
            break
        self._lowest_for_long = self._lowest()
        return self.current[0]

    def is_low_number_free(self) -> bool:
        """Tell whether the original limit leaves room for what is opened in a moment."""
        if self.original[0] == resource.RLIM_INFINITY:
            return True
        lowest = _lowest_free()
        return lowest is not None and lowest + _SPARE < self.original[0]

    def check_room(self) -> None:
        """Raise `CannotSpawn` where the descriptors that are left are for connections."""
        try:
            standing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            try:
                probe = fcntl.fcntl(standing, fcntl.F_DUPFD_CLOEXEC, self._lowest_for_long)
                os.close(probe)
            finally:
                os.close(standing)
        except OSError as error:
            raise CannotSpawn(_TOO_MANY, is_shortage=True) from error
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if 0 <= limit <= probe + min(_FOR_CONNECTIONS, limit // 8):
            raise CannotSpawn(_TOO_MANY, is_shortage=True)

    def is_last(self, fd: int) -> bool:
        """Tell whether a descriptor, each being the lowest that was free, is one of the last."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        # Where it is lowered for a moment, for a child, only the very last are few.
        is_for_child = self.is_raised and limit == self.original[0]
        last = _VERY_LAST if is_for_child else min(_LAST, limit // 8)
        return 0 <= limit <= fd + last

    def has_room_for_connection(self) -> bool:
        """Tell whether there is a descriptor for a connection, and for a look at who it is."""
        lowest = _lowest_free()
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return lowest is not None and (limit < 0 or lowest + _VERY_LAST < limit)

    @contextmanager
    def original_in_force(self) -> Iterator[None]:
        """Have the original soft limit for a moment."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.original[0], self.current[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, self.current)

    def restore_here(self) -> None:
        """Give this process the original back: for a child before exec."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.original[0], self.current[1]))

    def move_up(self, fd: int) -> int:
        """Give a long-lived descriptor a high number, if there are any.

        That is one above the original limit, or above some that callers need.
        """
        if fd >= self._lowest_for_long:
            return fd
        try:
            high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, self._lowest_for_long)
        except OSError:
            return fd
        os.close(fd)
        return high

    def duplicate(self, fd: int) -> int:
        """Return a duplicate that lives long. Raises OSError.

        The upper half of what we may have is kept for those that are no duplicates.
        """
        copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, self._lowest_for_long)
        if 0 <= self.current[0] // 2 <= copy:
            os.close(copy)
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return copy


def _lowest_free() -> int | None:
    """Return the lowest number that a descriptor could get; None where there is none."""
    try:
        probe = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    os.close(probe)
    return probe


nofile = NofileLimit()
"""The limit belongs to the process, so there is one of these; it changes nothing until asked."""


def raise_nofile_limit() -> int:
    """Lift our soft limit of open descriptors to the hard one; children get the original."""
    return nofile.raise_to_hard()


def make_room(count: int) -> None:
    """Let the table of descriptors grow now, for so many above those that are low."""
    low = nofile.original[0] if nofile.is_raised else 0
    last = min(low + count, nofile.current[0] - 1, _LARGEST_TABLE)
    try:
        os.close(fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, last))
    except OSError:
        return  # It grows as it fills.


def seal_descriptors() -> None:
    """Make everything that is open now, above the standard streams, end at exec."""
    for fd in open_descriptors():
        if fd > 2:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                continue


def open_descriptors() -> list[int]:
    """Return the numbers of this process's open descriptors."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return sorted(int(name) for name in os.listdir(folder))
        except OSError:
            continue
    return []


def _steps(soft: int, hard: int) -> Iterator[int]:
    """Yield limits to try: macOS says the hard limit is infinite, and refuses it."""
    yield hard
    for step in (1_048_576, 65_536, 10_240, 4_096):
        if step > soft != resource.RLIM_INFINITY:
            yield step
