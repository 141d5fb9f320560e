"""Whether a process really waits on its managed sockets: the moment from which it answers.

A server that imports its application for two seconds looks alive all the while. What can be seen
from outside is a thread that sleeps in a call which watches the socket:

* ``accept`` and the receiving calls name the descriptor;
* ``select`` and ``poll`` name a set of descriptors in the memory of the process;
* ``epoll_wait`` names an epoll instance, whose set the kernel shows in ``fdinfo``.

A process that is at work on a connection it has accepted is past that moment, too: it holds a
connection of the socket. Both are looked for in a whole tree, because a master seldom waits itself.

Looking at calls takes the right to trace the process. Where that is refused (another user's process
under a plain user's daemon), and on a processor whose call numbers are not known here, the epoll
set alone is looked at; where a process has none either, nothing can be told.
"""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum

from cvec_circus_core.system.proc import descriptors_of, read


class _Call(Enum):
    """How a call says what it waits for."""

    DESCRIPTOR = "its first argument"
    EPOLL = "the set of an epoll instance"
    SELECT = "a set of bits"
    POLL = "an array"


_CALLS: Mapping[str, Mapping[int, _Call]] = {
    "x86_64": {
        **dict.fromkeys((43, 288, 45, 47, 299), _Call.DESCRIPTOR),
        **dict.fromkeys((232, 281, 441), _Call.EPOLL),
        **dict.fromkeys((23, 270), _Call.SELECT),
        **dict.fromkeys((7, 271), _Call.POLL),
    },
    "aarch64": {
        **dict.fromkeys((202, 242, 207, 212, 243), _Call.DESCRIPTOR),
        **dict.fromkeys((22, 441), _Call.EPOLL),
        **dict.fromkeys((72,), _Call.SELECT),
        **dict.fromkeys((73,), _Call.POLL),
    },
}
"""How each call says what it waits for: accept, recvfrom, recvmsg, recvmmsg and their kin first.

From the kernel's tables of system calls, by ``uname -m``.
"""

_POLLFD = struct.Struct("=ihh")
_READABLE = 1
"""POLLIN and EPOLLIN."""
_MAX_DESCRIPTORS = 65_536
"""A set that claims to be larger is not read."""


class Waiting(Enum):
    """What was seen of a tree."""

    YES = "waits on its sockets"
    NOT_YET = "does not wait on its sockets"
    UNKNOWN = "can not be seen"


def look_at_waits(pids: Iterable[int], inodes: frozenset[int]) -> Waiting:
    """Tell whether some process of a tree waits on one of the sockets with these inodes."""
    calls = _CALLS.get(platform.machine(), {})
    can_see = False
    for pid in pids:
        try:
            descriptors = _descriptors_of(pid, inodes)
            if not descriptors:
                can_see = True
                continue
            epolls = _epolls_of(pid, inodes)
            waits = _threads_wait(pid, calls, descriptors, epolls)
        except OSError:
            continue  # it is gone, or nobody may look at it
        if waits is None:
            # Its calls are hidden: what it has put into an epoll set tells as much as can be had.
            waits, can_see = bool(epolls), can_see or bool(epolls)
        else:
            can_see = True
        if waits:
            return Waiting.YES
    return Waiting.NOT_YET if can_see else Waiting.UNKNOWN


def _descriptors_of(pid: int, inodes: frozenset[int]) -> frozenset[int]:
    """Return the descriptors by which a process has one of the sockets. Raises OSError."""
    links = {f"socket:[{inode}]" for inode in inodes}
    return frozenset(number for number, link in descriptors_of(pid) if link in links)


def _epolls_of(pid: int, inodes: frozenset[int]) -> frozenset[int]:
    """Return the epoll descriptors of a process that watch one of the sockets."""
    epolls = [number for number, link in descriptors_of(pid) if link == "anon_inode:[eventpoll]"]
    return frozenset(number for number in epolls if _watches(pid, number, inodes))


def _watches(pid: int, epoll: int, inodes: frozenset[int]) -> bool:
    for line in read(pid, f"fdinfo/{epoll}", None).split(b"\n"):
        words = line.replace(b":", b": ").split()
        if not words or words[0] != b"tfd:":
            continue
        facts = dict(zip(words[0::2], words[1::2], strict=False))
        is_readable = int(facts.get(b"events:", b"0"), 16) & _READABLE
        if is_readable and int(facts.get(b"ino:", b"0"), 16) in inodes:
            return True
    return False


def _threads_wait(
    pid: int, calls: Mapping[int, _Call], descriptors: frozenset[int], epolls: frozenset[int]
) -> bool | None:
    """Tell whether a thread sleeps in a call that watches; None where calls can not be seen."""
    if not calls:
        return None
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            words = read(pid, f"task/{thread}/syscall").split()
        except PermissionError:
            return None
        except (FileNotFoundError, ProcessLookupError):
            continue
        if len(words) < 7:
            continue  # it runs, or sleeps in no call
        number, *arguments = (int(word, 0) for word in words[:7])
        match calls.get(number):
            case _Call.DESCRIPTOR:
                is_watching = _as_descriptor(arguments[0]) in descriptors
            case _Call.EPOLL:
                is_watching = _as_descriptor(arguments[0]) in epolls
            case _Call.SELECT:
                is_watching = not descriptors.isdisjoint(_selected(pid, *arguments[:2]))
            case _Call.POLL:
                is_watching = not descriptors.isdisjoint(_polled(pid, *arguments[:2]))
            case _:
                is_watching = False
        if is_watching:
            return True
    return False


def _as_descriptor(argument: int) -> int:
    """Return the lower half of a register, which is all that a descriptor takes."""
    return argument & 0xFFFFFFFF


def _selected(pid: int, count: int, address: int) -> Iterator[int]:
    bits = _memory(pid, address, (min(count, _MAX_DESCRIPTORS) + 7) // 8) if address else b""
    for index, byte in enumerate(bits):
        for bit in range(8):
            if byte >> bit & 1:
                yield index * 8 + bit


def _polled(pid: int, address: int, count: int) -> Iterator[int]:
    size = min(count, _MAX_DESCRIPTORS) * _POLLFD.size
    block = _memory(pid, address, size) if address else b""
    for descriptor, events, _ in _POLLFD.iter_unpack(block[: len(block) // 8 * 8]):
        if events & _READABLE:
            yield descriptor


def _memory(pid: int, address: int, size: int) -> bytes:
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(size) or b""
