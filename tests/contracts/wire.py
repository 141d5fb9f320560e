"""What goes over the socketpair to an owner in another process: plain data, and descriptors.

A message is a tuple of a verb and its arguments, marshalled (which takes nothing but the plainest
data), and up to some hundred descriptors beside it.
"""

from __future__ import annotations

import array
import marshal
import os
import socket
from dataclasses import asdict
from typing import Any

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.capability_set import Capabilities
from cvec_circus_core.model.launch import Channel, LaunchPlan, Served, Stdio

LARGEST = 1 << 20
DESCRIPTORS = 64

Message = tuple[Any, ...]


def send(channel: socket.socket, message: Message, descriptors: tuple[int, ...] = ()) -> None:
    """Send one message; wait where the other side is slow."""
    numbers = array.array("i", descriptors)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, numbers)] if descriptors else []
    channel.sendmsg([marshal.dumps(message)], ancillary)


def receive(channel: socket.socket, flags: int = 0) -> tuple[Message, tuple[int, ...]]:
    """Return the next message with its descriptors. Raises EOFError, BlockingIOError."""
    data, ancillary, _, _ = channel.recvmsg(
        LARGEST, socket.CMSG_SPACE(4 * DESCRIPTORS), flags | socket.MSG_CMSG_CLOEXEC
    )
    numbers = array.array("i")
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(payload[: len(payload) // 4 * 4])
    if not data:
        raise EOFError
    message: Message = marshal.loads(data)
    return message, tuple(numbers)


def plan_to_data(plan: LaunchPlan) -> dict[str, Any]:
    """Return a plan as dictionaries and lists."""
    data = asdict(plan)
    for name in ("stdin", "stdout", "stderr"):
        data[name] = data[name].name
    return data


def plan_from_data(data: dict[str, Any]) -> LaunchPlan:
    """Return the plan that was sent."""
    streams = {name: Channel[data[name]] for name in ("stdin", "stdout", "stderr")}
    rights = data["capabilities"]
    return LaunchPlan(
        **{
            **data,
            **streams,
            "capabilities": None if rights is None else Capabilities(**rights),
        }
    )


def stdio_to_data(stdio: Stdio) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return which standard streams are given, and their descriptors."""
    given = {name: fd for name, fd in asdict(stdio).items() if fd is not None}
    return tuple(given), tuple(given.values())


def stdio_from_data(names: tuple[str, ...], descriptors: tuple[int, ...]) -> Stdio:
    """Return the standard streams that were sent."""
    return Stdio(**dict(zip(names, descriptors, strict=True)))


def served_to_data(served: Served) -> tuple[list[int], list[str]]:
    """Return where somebody listens, as lists."""
    return list(served.ports), list(served.paths)


def served_from_data(data: tuple[list[int], list[str]]) -> Served:
    """Return where somebody listens."""
    return Served(frozenset(data[0]), frozenset(data[1]))


def opened_to_data(opened: OpenSocket) -> dict[str, Any]:
    """Return an open socket as a dictionary."""
    return asdict(opened)


def bind_plan_to_data(plan: BindPlan) -> dict[str, Any]:
    """Return a plan as a dictionary."""
    return asdict(plan)


def close_all(descriptors: tuple[int, ...]) -> None:
    """Close what came with a message."""
    for descriptor in descriptors:
        os.close(descriptor)
