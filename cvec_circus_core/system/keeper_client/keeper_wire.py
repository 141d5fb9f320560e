"""What goes between a daemon and its keeper: plain data, and descriptors beside it.

A message is a verb and its arguments, marshalled: that takes nothing but the plainest data, and
both sides are programs of one user. One that is larger than the socket takes at once goes as a file
in memory, whose descriptor comes last.
"""

from __future__ import annotations

import array
import marshal
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from cvec_circus_core.model.bind_plan import BindPlan
from cvec_circus_core.model.capability_set import Capabilities
from cvec_circus_core.model.launch import Channel, LaunchPlan, Served, Stdio

Message = tuple[Any, ...]
Descriptors = tuple[int, ...]

_AT_ONCE = 65_536
"""Bytes of a message that goes as it is."""
_MOST_DESCRIPTORS = 64
_STREAMS = ("stdin", "stdout", "stderr")


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a connection."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(channel: socket.socket, message: Message, descriptors: Descriptors = ()) -> None:
    """Send one message. Raises OSError: BlockingIOError where there is no room for it."""
    data = marshal.dumps(message)
    if len(data) <= _AT_ONCE:
        _send(channel, b"." + data, descriptors)
        return
    file = os.memfd_create("message", os.MFD_CLOEXEC)
    try:
        with open(file, "wb", closefd=False) as out:
            out.write(data)
        _send(channel, b"+", (*descriptors, file))
    finally:
        os.close(file)


def _send(channel: socket.socket, data: bytes, descriptors: Descriptors) -> None:
    numbers = array.array("i", descriptors)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)] if descriptors else []
    channel.sendmsg([data], ancillary)


def receive(channel: socket.socket, flags: int = 0) -> tuple[Message, Descriptors]:
    """Return the next message with its descriptors. Raises EOFError, OSError."""
    data, ancillary, _, _ = channel.recvmsg(
        _AT_ONCE + 1, socket.CMSG_SPACE(4 * _MOST_DESCRIPTORS), flags | socket.MSG_CMSG_CLOEXEC
    )
    numbers = array.array("i")
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(payload[: len(payload) // 4 * 4])
    if not data:
        raise EOFError
    descriptors = tuple(numbers)
    if data[:1] == b"+":
        with open(descriptors[-1], "rb") as file:
            file.seek(0)
            data, descriptors = b"." + file.read(), descriptors[:-1]
    message: Message = marshal.loads(data[1:])  # noqa: S302 - of a program of ours
    return message, descriptors


def plan_to_data(plan: LaunchPlan) -> dict[str, Any]:
    """Return a plan as plain data."""
    data = {name: getattr(plan, name) for name in LaunchPlan._fields}
    data.update({name: data[name].name for name in _STREAMS})
    data.update(env=dict(plan.env), rlimits=dict(plan.rlimits))
    if plan.capabilities is not None:
        data["capabilities"] = asdict(plan.capabilities)
    return data


def plan_from_data(data: Mapping[str, Any]) -> LaunchPlan:
    """Return the plan that was sent."""
    streams = {name: Channel[data[name]] for name in _STREAMS}
    rights = data["capabilities"]
    capabilities = None if rights is None else Capabilities(**rights)
    return LaunchPlan(**{**data, **streams, "capabilities": capabilities})


def stdio_to_data(stdio: Stdio) -> dict[str, int]:
    """Return the standard streams that lead to descriptors."""
    streams = {name: getattr(stdio, name) for name in _STREAMS}
    return {name: fd for name, fd in streams.items() if fd is not None}


def served_to_data(served: Served) -> tuple[list[int], list[str]]:
    """Return where a process listens, as lists."""
    return list(served.ports), list(served.paths)


def served_from_data(data: tuple[list[int], list[str]]) -> Served:
    """Return where a process listens."""
    return Served(frozenset(data[0]), frozenset(data[1]))


def bind_plan_to_data(plan: BindPlan) -> dict[str, Any]:
    """Return a plan as plain data."""
    return plan._asdict()


def close_all(descriptors: Iterable[int]) -> None:
    """Close what came with a message."""
    for descriptor in descriptors:
        os.close(descriptor)
