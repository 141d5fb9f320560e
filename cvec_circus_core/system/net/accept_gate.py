"""A listener of libzmq accepts one connection at a time, and only while there is a descriptor.

Where accept finds no descriptor, libzmq ends the whole program (Unix sockets) or tries again at
once for ever (TCP): callers who open more connections than we have descriptors for would end the
daemon before it hears of the first. libzmq has no option for that. But it waits for its sockets by
epoll, and the kernel tells what is registered there; with EPOLLONESHOT a listener is heard once and
then left alone until it is armed again, which is done here as soon as the last connection was
looked at and there is room for another. Those who come meanwhile wait in the listener's queue.

Where the kernel does not tell (no Linux, no /proc), libzmq accepts as it always does.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable
from typing import NamedTuple

from cvec_circus_core.system.processes.descriptors import nofile, open_descriptors

_EPOLL_CTL_MOD = 3
_EPOLLIN, _EPOLLONESHOT = 0x001, 1 << 30
_TRIES, _BETWEEN = 50, 0.02
"""How often it is looked whether libzmq's thread waits for a new listener, and the seconds between
two looks."""
_UNTIL_NEXT_LOOK = 0.25
"""Seconds until it is looked again whether there is room."""


class _EpollEvent(ctypes.Structure):
    _pack_ = 1 if os.uname().machine in ("x86_64", "amd64") else 0
    _fields_ = (("events", ctypes.c_uint32), ("data", ctypes.c_uint64))


class _Listener(NamedTuple):
    """How libzmq waits for connections, and the socket at which it does."""

    poll: int
    fd: int
    data: int
    inode: int


class AcceptGate:
    """Lets the listeners of one ZeroMQ socket accept; belongs to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: list[_Listener] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._is_due = self._is_waiting = False
        self._libc = ctypes.CDLL(None)
        self._is_closed = not sys.platform.startswith("linux")

    def add(self, fd: int, tries: int = _TRIES) -> None:
        """Take a listener in, as soon as libzmq's thread waits for it."""
        if self._is_closed or tries <= 0:
            return
        listener = _registered(fd)
        if listener is None:
            self._later(_BETWEEN, lambda: self.add(fd, tries - 1))
            return
        self._listeners.append(listener)
        self._arm(listener)

    def let_in_soon(self) -> None:
        """Let each listener accept one more when the last one was looked at."""
        if not (self._is_closed or self._is_due):
            self._is_due = True
            self._loop.call_soon(self._let_in)

    def _let_in(self) -> None:
        self._is_due = False
        if self._is_closed:
            return
        if nofile.has_room_for_connection():
            self._listeners = [listener for listener in self._listeners if self._arm(listener)]
        elif not self._is_waiting:
            self._is_waiting = True
            self._later(_UNTIL_NEXT_LOOK, self._look_again)

    def _look_again(self) -> None:
        self._is_waiting = False
        self._let_in()

    def close(self) -> None:
        """Do nothing more; before the listeners are closed."""
        self._is_closed = True
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        def run() -> None:
            self._timers.discard(timer)
            act()

        timer = self._loop.call_later(seconds, run)
        self._timers.add(timer)

    def _arm(self, listener: _Listener) -> bool:
        """Have the listener heard once; False where it is gone."""
        if _inode(listener.fd) != listener.inode:
            return False
        event = _EpollEvent(_EPOLLIN | _EPOLLONESHOT, listener.data)
        arm = self._libc.epoll_ctl
        return int(arm(listener.poll, _EPOLL_CTL_MOD, listener.fd, ctypes.byref(event))) == 0


def _registered(fd: int) -> _Listener | None:
    """Return how some epoll of this process waits for a descriptor; None where none does."""
    for poll in open_descriptors():
        try:
            if os.readlink(f"/proc/self/fd/{poll}") != "anon_inode:[eventpoll]":
                continue
            with open(f"/proc/self/fdinfo/{poll}", encoding="ascii") as file:
                rows = [line.split() for line in file if line.startswith("tfd:")]
        except OSError:
            continue
        for row in rows:
            if int(row[1]) == fd:
                return _Listener(poll, fd, int(row[5], 16), _inode(fd))
    return None


def _inode(fd: int) -> int:
    try:
        return os.fstat(fd).st_ino
    except OSError:
        return 0
