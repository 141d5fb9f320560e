"""A copy of this process that waits for its turn to be the daemon: nothing is to be loaded then.

It is forked once all code is loaded and before anything is known or begun, so all that it has is
its end of a connection to the keeper. The first message there says that its turn has come. Its
parent is the keeper, which takes in orphans: the process between the two ends at once.
"""

from __future__ import annotations

import gc
import os
import socket
from pathlib import Path

from cvec_circus_core.system.keeper_client import keeper_wire as wire

NAME = "circusd-standby"
"""What it is called in the process table while it waits; the kernel takes 15 characters."""

_COMM = Path("/proc/self/comm")


def fork_standby(connection: socket.socket) -> socket.socket:
    """Fork a standby and tell the keeper of it; return the connection to go on with.

    In the standby, this returns when its turn has come, with a connection of its own. Where the
    keeper ends first, it does not return there. Where there can be no standby, there is none.
    """
    gc.freeze()  # Looking for garbage would write to pages that both share.
    try:
        keepers, own = wire.pair()
    except OSError:
        return connection
    with keepers, own:
        pid = _fork_orphan()
        if pid == 0:
            connection.close()
            keepers.close()
            _wait_for_turn(own)
            return own.dup()
        if pid is not None:
            wire.send(connection, ("standby", pid), (keepers.fileno(),))
    return connection


def _fork_orphan() -> int | None:
    """Fork a process that nobody here is the parent of: its pid, 0 in it, None if there is none."""
    read, write = os.pipe()
    try:
        between = os.fork()
        if between == 0:
            _fork_and_end(write)
            return 0
        os.close(write)
        write = -1
        pid = os.read(read, 32)
        os.waitpid(between, 0)
        return int(pid) if pid else None
    except OSError:
        return None
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)


def _fork_and_end(write: int) -> None:
    """Return in the child of this process, which ends."""
    try:
        if pid := os.fork():
            os.write(write, b"%d" % pid)
            os._exit(0)
        os.setsid()
    except OSError:
        os._exit(1)


def _wait_for_turn(own: socket.socket) -> None:
    comm = _rename(NAME)
    try:
        has_turn = bool(own.recv(1, socket.MSG_PEEK))
    except (OSError, KeyboardInterrupt):
        has_turn = False
    if not has_turn:
        os._exit(0)
    _rename(comm)


def _rename(name: str) -> str:
    """Have another name in the process table, where there is one; return the name before."""
    try:
        before = _COMM.read_text().rstrip("\n")
        _COMM.write_text(name)
    except OSError:
        return ""
    return before
