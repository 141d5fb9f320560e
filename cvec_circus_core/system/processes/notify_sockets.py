"""The other side of sd_notify(3): sockets on which processes say how they are.

A process that has to speak has a socket of its own; those that may speak share one. The address is
abstract: it lies in no folder, is gone with the socket, and works for a process that runs as
another user. The kernel tells who has sent a message. A sender that lives must belong to the tree
of a process that is listened to. One that is gone already (a script may say it by a program that
ends at once) can not be looked up any more: on a socket of one process the user has to be the same,
on the shared one it is not heard.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.notices import LONGEST
from cvec_circus_core.model.text import LineQuota, Share
from cvec_circus_core.system.proc import HAS_PROC, user_of
from cvec_circus_core.system.processes.process_table import read_row
from cvec_circus_core.system.state_store import StateStore

log = logging.getLogger(__name__)

_CREDENTIALS = struct.Struct("iII")
_DESCRIPTORS_AT_MOST = 253
_AT_ONCE = 64
"""Messages that are read before others have their turn."""
_SHARED = "notify"
"""Name of the socket that all share, where it is held for a later daemon."""
_HOPS = 64

Ancillary = Iterable[tuple[int, int, bytes]]


class NotifySocket:
    """Where one process says how it is; nobody else is heard."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        heard: Callable[[bytes], None],
        quota: LineQuota | None = None,
        *,
        inherited: int | None = None,
    ) -> None:
        """Open it; ``quota`` bounds what is told of others who send. Raises `SystemProblem`."""
        self._socket, self.address = _open() if inherited is None else _inherited(inherited)
        self._loop = loop
        self._heard = heard
        self._quota = quota or LineQuota()
        self._pid = 0

    @classmethod
    def adopt(
        cls,
        fd: int,
        loop: asyncio.AbstractEventLoop,
        heard: Callable[[bytes], None],
        quota: LineQuota,
    ) -> NotifySocket:
        """Return one that was opened by an earlier daemon."""
        return cls(loop, heard, quota, inherited=fd)

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._socket.fileno()

    def listen_to(self, pid: int) -> None:
        """Hear what this process and its descendants say, from the beginning."""
        self._pid = pid
        self._loop.add_reader(self._socket.fileno(), self._read)

    def close(self) -> None:
        """Hear what was said until now, and nothing more."""
        if self._socket.fileno() < 0:
            return
        if self._pid:
            self._loop.remove_reader(self._socket.fileno())
            self._read()
        self._socket.close()

    def _read(self) -> None:
        for pid, uid, message in _messages(self._socket):
            if self._may_speak(pid, uid):
                self._heard(message)
            else:
                self._tell_of(pid, uid)

    def _tell_of(self, pid: int, uid: int) -> None:
        """Tell of a message of another process: the addresses of all sockets are public."""
        share = self._quota.take(f"user {uid}", self._loop.time())
        if share is Share.SHOWN:
            log.warning(
                "process %d of user %d spoke on the notify socket of process %d: not heard",
                *(pid, uid, self._pid),
            )
        elif share is Share.LAST:
            log.warning("user %d goes on speaking on notify sockets; not told for a while", uid)

    def _may_speak(self, pid: int, uid: int) -> bool:
        if pid != self._pid and (not pid or read_row(pid) is None):
            return uid == user_of(self._pid)
        return _owner(pid, (self._pid,)) is not None


class SharedNotifySocket:
    """Where processes may say how they are of which nobody expects it; opened at the first use."""

    def __init__(self, store: StateStore | None = None) -> None:
        self._store = store or StateStore()
        self._heard: dict[int, Callable[[bytes], None]] = {}
        self._early: deque[tuple[int, bytes]] = deque(maxlen=_AT_ONCE)
        """The last messages of processes that are not listened to, maybe not yet."""
        self._socket: socket.socket | None = None
        self._address = ""

    def address(self, loop: asyncio.AbstractEventLoop) -> str:
        """Return the address; an empty one where there can be no such socket."""
        if self._socket is None:
            try:
                self._socket, self._address = self._opened()
            except SystemProblem:
                return ""
            self._store.hold(_SHARED, self._socket.fileno())
            loop.add_reader(self._socket.fileno(), self._read, self._socket)
            self._loop = loop
        return self._address

    def _opened(self) -> tuple[socket.socket, str]:
        held = self._store.inventory.held.get(_SHARED)
        return _open() if held is None else _inherited(held)

    def listen_to(self, pid: int, heard: Callable[[bytes], None]) -> None:
        """Hear what this process and its descendants say, from the beginning."""
        self._heard[pid] = heard
        early, self._early = self._early, deque(maxlen=_AT_ONCE)
        for sender, message in early:
            self._take(sender, message)

    def forget(self, pid: int) -> None:
        """Hear this process no more."""
        self._heard.pop(pid, None)

    def close(self) -> None:
        """Hear nobody any more."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _read(self, socket_: socket.socket) -> None:
        for pid, _, message in _messages(socket_):
            self._take(pid, message)

    def _take(self, sender: int, message: bytes) -> None:
        owner = _owner(sender, self._heard)
        if owner is None:
            self._early.append((sender, message))
        else:
            self._heard[owner](message)


def _open() -> tuple[socket.socket, str]:
    """Return a new socket and its address. Raises `SystemProblem`."""
    if not HAS_PROC:
        raise SystemProblem("notify sockets need Linux")
    address = f"@cvec-circus/notify/{os.urandom(16).hex()}"
    try:
        notify_socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        notify_socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        notify_socket.bind("\0" + address[1:])
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SystemProblem(f"no notify socket: {reason}") from error
    return notify_socket, address


def _messages(notify_socket: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    """Yield what was said, with pid and uid of the sender, up to a bound."""
    for _ in range(_AT_ONCE):
        try:
            message, ancillary, flags, _ = notify_socket.recvmsg(
                LONGEST,
                socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * _DESCRIPTORS_AT_MOST),
                socket.MSG_CMSG_CLOEXEC,
            )
        except OSError:
            return
        sender = _unpack(ancillary)
        if sender is not None and not flags & socket.MSG_TRUNC:
            yield (*sender, message)


def _owner(pid: int, owners: Container[int]) -> int | None:
    """Return which of these processes is the given one, or has it in its tree."""
    if pid in owners:
        return pid
    for _ in range(_HOPS):
        row = read_row(pid) if pid else None
        if row is None:
            return None
        if row.session in owners:
            return row.session
        if row.parent in owners:
            return row.parent
        pid = row.parent
    return None


def _inherited(fd: int) -> tuple[socket.socket, str]:
    """Return a socket that was open before, and its address."""
    notify_socket = socket.socket(fileno=fd)
    name: bytes = notify_socket.getsockname()
    return notify_socket, f"@{name[1:].decode()}"


def _unpack(ancillary: Ancillary) -> tuple[int, int] | None:
    """Return pid and uid of the sender; close descriptors that came along.

    A sender that waits until its message was read (sd_notify_barrier) sees that by the closing.
    """
    sender = None
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_CREDENTIALS and len(data) >= _CREDENTIALS.size:
            pid, uid, _ = _CREDENTIALS.unpack_from(data)
            sender = (pid, uid)
        elif kind == socket.SCM_RIGHTS:
            for (fd,) in struct.iter_unpack("i", data[: len(data) // 4 * 4]):
                os.close(fd)
    return sender
