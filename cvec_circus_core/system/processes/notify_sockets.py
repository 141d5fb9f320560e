"""The other side of sd_notify(3): a socket on which one process says how it is.

Each process has a socket of its own, so what is said needs no name. The address is abstract: it
lies in no folder, is gone with the socket, and works for a process that runs as another user. The
kernel tells who has sent a message. A sender that lives must belong to the process's tree. One that
is gone already (a script may say it by a program that ends at once) can not be looked up any more,
so the user has to be the same.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable, Iterable

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.model.notices import LONGEST
from cvec_circus_core.model.text import LineQuota, Share
from cvec_circus_core.system.proc import HAS_PROC, user_of
from cvec_circus_core.system.processes.process_table import read_row

log = logging.getLogger(__name__)

_CREDENTIALS = struct.Struct("iII")
_DESCRIPTORS_AT_MOST = 253
_AT_ONCE = 64
"""Messages that are read before others have their turn."""
_HOPS = 64

Ancillary = Iterable[tuple[int, int, bytes]]


class NotifySocket:
    """Where one process says how it is; nobody else is heard."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        heard: Callable[[bytes], None],
        quota: LineQuota | None = None,
    ) -> None:
        """Open it; ``quota`` bounds what is told of others who send. Raises `SystemProblem`."""
        if not HAS_PROC:
            raise SystemProblem("notify sockets need Linux")
        self.address = f"@cvec-circus/notify/{os.urandom(16).hex()}"
        self._loop = loop
        self._heard = heard
        self._quota = quota or LineQuota()
        self._pid = 0
        try:
            self._socket = socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            )
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._socket.bind("\0" + self.address[1:])
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SystemProblem(f"no notify socket: {reason}") from error

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
        for _ in range(_AT_ONCE):
            try:
                message, ancillary, flags, _ = self._socket.recvmsg(
                    LONGEST,
                    socket.CMSG_SPACE(_CREDENTIALS.size)
                    + socket.CMSG_SPACE(4 * _DESCRIPTORS_AT_MOST),
                    socket.MSG_CMSG_CLOEXEC,
                )
            except OSError:
                return
            sender = _unpack(ancillary)
            if sender is None or flags & socket.MSG_TRUNC:
                continue
            if self._may_speak(*sender):
                self._heard(message)
            else:
                self._tell_of(*sender)

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
        if pid == self._pid:
            return True
        row = read_row(pid) if pid else None
        if row is None:
            return uid == user_of(self._pid)
        for _ in range(_HOPS):
            if self._pid in (row.parent, row.session):
                return True
            above = read_row(row.parent)
            if above is None:
                return False
            row = above
        return False


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
