"""The brain's end of the connection to the keeper, and who waits for which answer."""

from __future__ import annotations

import os
import socket
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from typing import Any

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.errors import CannotBind, SystemProblem
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.system.keeper_client import keeper_wire as wire
from cvec_circus_core.system.keeper_client.standby_fork import fork_standby
from cvec_circus_core.system.keeper_client.successor import KeeperCopy
from cvec_circus_core.system.state_store import Inventory, KeptProcess

_AT_ONCE = 32
"""Messages that are read before others have their turn."""
_SHARED = "shared"

OnEnd = Callable[[int, Exit], None]
"""Takes the keeper's number of a process, and how it ended."""


def ignore_end(number: int, end: Exit) -> None:
    """Take no notice of an end."""


OnShared = Callable[[wire.Message, wire.Descriptors], None]
"""Takes what the keeper gives us a duplicate of."""


def ignore_shared(content: wire.Message, descriptors: wire.Descriptors) -> None:
    """Have no use for a duplicate."""
    wire.close_all(descriptors)


def ignore_loss() -> None:
    """Take no notice of the keeper's end."""


class KeeperLink:
    """Messages to the keeper, and its answers."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._loop: AbstractEventLoop | None = None
        self._last_number = 0
        self._waiting: dict[int, Callable[..., None]] = {}
        self._early: deque[wire.Message] = deque()
        """What came while an answer was waited for."""
        self.on_end: OnEnd = ignore_end
        self.facts: dict[str, object] = {}
        """What the keeper tells of itself."""
        self.on_lost: Callable[[], None] = ignore_loss
        """Is called when the keeper is gone."""
        self.on_shared: OnShared = ignore_shared
        self.copy = KeeperCopy()
        """What another keeper could begin with."""

    @classmethod
    def of_stdin(cls) -> KeeperLink:
        """Take the connection that is our standard input, and leave /dev/null there."""
        number = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        return cls(socket.socket(fileno=number))

    def inventory(self) -> Inventory:
        """Return what the keeper has, which is the first that it sends. Raises `SystemProblem`.

        It may ask for a standby before: there, this returns once its turn has come.
        """
        inventory = Inventory()
        while True:
            (verb, *content), descriptors = self._receive()
            match verb:
                case "standby":
                    self._connection = fork_standby(self._connection)
                case "note":
                    inventory.notes[content[0]] = content[1]
                case "held":
                    (inventory.held[content[0]],) = descriptors
                case "socket":
                    inventory.sockets.append((BindPlan(**content[0]), OpenSocket(**content[1])))
                case "process":
                    number, pid, label, names, end, is_confirmed = content
                    exit_ = None if end is None else Exit(end[0], left_behind=end[1])
                    numbers = dict(zip(names, descriptors, strict=True))
                    inventory.processes.append(
                        KeptProcess(number, pid, label, numbers, exit_, is_confirmed)
                    )
                case "complete":
                    inventory.facts.update(content[0])
                    self.facts = inventory.facts
                    return inventory
                case _:
                    self._early.append((verb, *content))

    def attach(self, loop: AbstractEventLoop) -> None:
        """Take messages from the event loop from now on."""
        self._loop = loop
        loop.add_reader(self._connection.fileno(), self._on_readable)
        loop.call_soon(self._deliver_early)

    def tell(self, *message: object, descriptors: wire.Descriptors = ()) -> None:
        """Send a message that needs no answer at once."""
        try:
            wire.send(self._connection, message, descriptors)
        except OSError:
            return  # The keeper is gone, which is told in the event loop.

    def note(self, key: str, content: bytes | None) -> None:
        """Have something kept under a key; None forgets it."""
        self.copy.holdings.note(key, content)
        self.tell("note", key, content)

    def ask(self, *message: object) -> Any:
        """Send a message and wait for its answer. Raises `CannotBind`, `SystemProblem`."""
        self.tell(*message)
        while True:
            try:
                (verb, *content), descriptors = self._receive()
            except SystemProblem:
                self.on_lost()
                raise
            if verb == _SHARED:
                self.on_shared(tuple(content), descriptors)
                continue
            if verb == "refused":
                raise CannotBind(content[0])
            if verb == "answer":
                return content[0]
            if not self._early and self._loop is not None:
                self._loop.call_soon(self._deliver_early)
            self._early.append((verb, *content))

    def number_for(self, on_answer: Callable[..., None]) -> int:
        """Return the number by which an answer will be known."""
        self._last_number += 1
        self._waiting[self._last_number] = on_answer
        return self._last_number

    def forget(self, number: int) -> None:
        """Expect no answer any more."""
        self._waiting.pop(number, None)

    def detach(self) -> None:
        """Hear nothing more; what is told still arrives."""
        if self._loop is not None:
            self._loop.remove_reader(self._connection.fileno())
            self._loop = None
        self._waiting.clear()
        self._early.clear()

    def close(self) -> None:
        """End the connection."""
        self.detach()
        self._connection.close()

    def _receive(self) -> tuple[wire.Message, wire.Descriptors]:
        try:
            return wire.receive(self._connection)
        except (EOFError, OSError) as error:
            raise SystemProblem("the keeper is gone") from error

    def _on_readable(self) -> None:
        self._deliver_early()
        for _ in range(_AT_ONCE):
            try:
                message, descriptors = wire.receive(self._connection, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except (EOFError, OSError):
                if self._loop is not None:
                    self._loop.remove_reader(self._connection.fileno())
                self.on_lost()
                return
            if message[0] == _SHARED:
                self.on_shared(message[1:], descriptors)
            else:
                self._deliver(message)

    def _deliver_early(self) -> None:
        while self._early:
            self._deliver(self._early.popleft())

    def _deliver(self, message: wire.Message) -> None:
        verb, number, *content = message
        if verb == "exited":
            self.on_end(number, Exit(content[0], left_behind=content[1]))
            return
        if verb == "ask":
            self.tell("going on", number)
            return
        if verb == "facts":
            self.facts = content[0]
            return
        on_answer = self._waiting.pop(number, None)
        if on_answer is not None:
            on_answer(*content)
