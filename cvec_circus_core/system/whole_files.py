"""Reading a file to its end without waiting for ever: what has its name may be a pipe, or hang.

A pipe such as ``<(make-config)`` is read as a plain file is, once, as long as something comes. What
can not be bounded otherwise, as a file of a server that does not answer any more, is done in a
thread that is left behind when the time is over.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from cvec_circus_core.system.deadline import Deadline

Result = TypeVar("Result")

_MOST = 64 << 20
_PIECE = 1 << 20
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFSOCK: "a socket"}


def read_whole(path: str | os.PathLike[str], seconds: float = 30.0) -> bytes:
    """Return all that is in a file; what is no plain file has so many seconds to end.

    Raises OSError, TimeoutError among them.
    """
    deadline = Deadline(seconds)
    with _opened(path) as fd:
        pieces, size = [], 0
        while piece := _next_piece(fd, deadline, seconds):
            pieces.append(piece)
            size += len(piece)
            if size > _MOST:
                raise OSError(errno.EFBIG, f"it has more than {_MOST >> 20} MB")
        return b"".join(pieces)


def read_again(path: str | os.PathLike[str]) -> bytes:
    """Return all that is in a plain file. What can be read only once is refused.

    Raises OSError.
    """
    kind = _KINDS.get(stat.S_IFMT(os.stat(path).st_mode))
    if kind is not None:
        raise OSError(errno.ESPIPE, f"it is {kind}, which was read at the start")
    return read_whole(path)


def bounded(work: Callable[[], Result], seconds: float) -> Result:
    """Return what some work gives, done in a thread. Raises what it raises, and TimeoutError."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="circus-reading", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(errno.ETIMEDOUT, f"it takes more than {seconds:g} s")
    return results[0]


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[int]:
    fd = os.open(path, _FLAGS)
    try:
        yield fd
    finally:
        os.close(fd)


def _next_piece(fd: int, deadline: Deadline, seconds: float) -> bytes:
    while True:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(deadline.left() * 1000):
            raise TimeoutError(errno.ETIMEDOUT, f"nothing more came of it in {seconds:g} s")
        try:
            return os.read(fd, _PIECE)
        except BlockingIOError:
            continue
