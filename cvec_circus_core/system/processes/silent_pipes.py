"""Pipes that say nothing, put away where new processes do not get them (Linux).

A process that starts gets a copy of every descriptor of the thread that starts it, and exec closes
them one by one. With two pipes for each of a thousand processes that is a tenth of a whole start,
and it grows with their square: a third of the start of four thousand. So pipes that say nothing
are kept by a thread with a table of descriptors of its own, which close_range(2) gives it. They
wait in an epoll that both know; one that has something to say is handed back.

Everything is done while the caller waits: nobody changes the limit of descriptors meanwhile.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import sys
import threading
from array import array
from collections.abc import Callable, Sequence

from cvec_circus_core.system.processes.priority import precedence

TOGETHER = 64
"""Pipes in one message; the kernel takes up to 253."""

TELL_ONCE = getattr(select, "EPOLLIN", 0) | getattr(select, "EPOLLONESHOT", 0)

_CLOSE_RANGE, _UNSHARE = 436, 2
_LAST = 0xFFFFFFFF
_FIRST = 3
_WORD = b"."

Job = Callable[[list[int]], Sequence[int]]
"""Done in the thread: takes descriptors that come, and returns those that go."""


class SilentPipes:
    """The pipes that are put away, by numbers that mean something to their thread alone."""

    def __init__(self) -> None:
        """Begin to keep pipes. Raises OSError where there is no table to be had."""
        self.epoll = select.epoll()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        self._job: Job = self._take_in
        self._numbers: Sequence[int] = ()
        self._is_apart = False
        self._has_begun = threading.Event()
        try:
            threading.Thread(
                target=self._run, args=(theirs.fileno(),), name="silent pipes", daemon=True
            ).start()
            self._has_begun.wait()
        except RuntimeError as error:
            raise OSError(str(error)) from None
        finally:
            # The thread has it in a table of its own.
            theirs.close()
            if not self._is_apart:
                self.close()
        if not self._is_apart:
            raise OSError("there is no table of descriptors for a thread alone")

    def close(self) -> None:
        """Close all that are put away, and end the thread."""
        self._socket.close()
        self.epoll.close()

    def put(self, descriptors: Sequence[int]) -> Sequence[int]:
        """Put pipes away, and return the numbers of the first ones, for which there was room.

        Their descriptors are the caller's to close.
        """
        self._call(self._take_in, descriptors)
        return self._numbers

    def take(self, numbers: Sequence[int]) -> list[int]:
        """Return the descriptors of pipes, which are not put away any more.

        Where there is no room for all of them, the last ones are lost.
        """
        descriptors: list[int] = []
        for first in range(0, len(numbers), TOGETHER):
            self._numbers = numbers[first : first + TOGETHER]
            descriptors += self._call(self._hand_back)
        return descriptors

    def drop(self, numbers: Sequence[int]) -> None:
        """Close pipes that are put away."""
        self._numbers = numbers
        self._call(self._close_some)

    def poll(self) -> list[int]:
        """Return the numbers of some pipes that something has happened to; each is told once."""
        return [number for number, _ in self.epoll.poll(0, TOGETHER)]

    def _call(self, job: Job, descriptors: Sequence[int] = ()) -> list[int]:
        self._job = job
        try:
            socket.send_fds(self._socket, [_WORD], descriptors)
            return _receive(self._socket)[1]
        except OSError:
            self._numbers = ()
            return []

    def _run(self, descriptor: int) -> None:
        # The handler of a signal writes to a descriptor, which means another thing in this thread.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        precedence.join()
        self._is_apart = _has_own_table({descriptor, self.epoll.fileno()})
        self._has_begun.set()
        if not self._is_apart:
            return
        with socket.socket(fileno=descriptor) as connection:
            while True:
                word, handed = _receive(connection)
                if not word:
                    return
                going = self._job(handed)
                socket.send_fds(connection, [_WORD], going)
                for pipe in going:
                    os.close(pipe)

    def _take_in(self, descriptors: list[int]) -> Sequence[int]:
        numbers: list[int] = []
        for descriptor in descriptors:
            try:
                self.epoll.register(descriptor, TELL_ONCE)
            except OSError:
                os.close(descriptor)
                break
            numbers.append(descriptor)
        for descriptor in descriptors[len(numbers) + 1 :]:
            os.close(descriptor)
        self._numbers = numbers
        return ()

    def _hand_back(self, _: list[int]) -> Sequence[int]:
        for number in self._numbers:
            self.epoll.unregister(number)
        return self._numbers

    def _close_some(self, _: list[int]) -> Sequence[int]:
        for number in self._numbers:
            self.epoll.unregister(number)
            os.close(number)
        return ()


def silent_pipes() -> SilentPipes | None:
    """Return a place for pipes that say nothing, if this machine has one."""
    try:
        return SilentPipes() if sys.platform.startswith("linux") else None
    except (OSError, RuntimeError):
        return None


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    # socket.recv_fds forgets its flags, and what came would be every later child's.
    numbers = array("i")
    space = socket.CMSG_SPACE(TOGETHER * numbers.itemsize)
    word, ancillary, _, _ = connection.recvmsg(len(_WORD), space, socket.MSG_CMSG_CLOEXEC)
    for _, _, data in ancillary:
        numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    return word, list(numbers)


def _has_own_table(kept: set[int]) -> bool:
    """Give the calling thread a table with these descriptors and the standard ones alone."""
    after = max(kept) + 1
    try:
        close_range = ctypes.CDLL(None, use_errno=True).syscall
        numbers = (_CLOSE_RANGE, after, _LAST, _UNSHARE)
        if close_range(*map(ctypes.c_uint, numbers)) != 0:
            return False
    except (OSError, AttributeError):
        return False
    first = _FIRST
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    return True
