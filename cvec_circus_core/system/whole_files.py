"""Reading a file to its end without waiting for ever: what has its name may be a pipe, or hang.

A pipe such as ``<(make-config)`` is read as a plain file is, once, as long as something comes. What
can not be bounded otherwise, as a file of a server that does not answer any more, is done in a
thread that is left behind when the time is over.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from cvec_circus_core.system.deadline import Deadline

Result = TypeVar("Result")

READING = 3.0
"""Seconds that a look at somebody's files may take while circusd runs."""
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


def bounded(work: Callable[[], Result], seconds: float = READING) -> Result:
    """Return what some work gives, done in a thread. Raises what it raises, and TimeoutError."""
    results: list[Result] = []
    errors: list[BaseException] = []

    _begin(partial(_collect, work, results, errors)).join(seconds)
    return _result_of(results, errors, seconds)


class ReadingThread:
    """Does work that may hang in threads of its own, one piece after the other.

    The event loop goes on meanwhile. While a piece that took too long has not come to its end, no
    other is begun: at a server that does not answer, threads would pile up.
    """

    def __init__(self, seconds: float = READING) -> None:
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self._is_idle = threading.Event()
        self._is_idle.set()

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return what some work gives. Raises what it raises, and TimeoutError."""
        async with self._turn:
            if not self._is_idle.is_set():
                raise TimeoutError(errno.ETIMEDOUT, "an earlier look at it has not come back yet")
            loop = asyncio.get_running_loop()
            ended = asyncio.Event()
            results: list[Result] = []
            errors: list[BaseException] = []

            def attempt() -> None:
                _collect(work, results, errors)
                self._is_idle.set()
                try:
                    loop.call_soon_threadsafe(ended.set)
                except RuntimeError:
                    pass  # the loop is over

            self._is_idle.clear()
            try:
                _begin(attempt)
            except RuntimeError:
                self._is_idle.set()  # no thread is to be had now: the next try may get one
                raise
            try:
                await asyncio.wait_for(ended.wait(), self._seconds)
            except TimeoutError:
                pass
            return _result_of(results, errors, self._seconds)


def _collect(
    work: Callable[[], Result], results: list[Result], errors: list[BaseException]
) -> None:
    try:
        results.append(work())
    except BaseException as error:
        errors.append(error)


def _begin(attempt: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=attempt, name="circus-reading", daemon=True)
    thread.start()
    return thread


def _result_of(results: list[Result], errors: list[BaseException], seconds: float) -> Result:
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
