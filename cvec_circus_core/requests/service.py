"""The port at which whatever has a caller enters: a message, and who sends it.

An entrance knows its wire and who is at the other end of it; what comes after is the same for all.
How much a caller may ask is bounded (`rate_limits.py`), requests begin in the order in which they
came, a command is found and run (`dispatch.py`) on the daemon as the caller may use it, and acts
and refusals are audited. An entrance that reads whole messages needs `answer` alone. One that can
leave a message unread, before it costs anything, counts it first and lets it `begin`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from cvec_circus_core.model.access import Caller
from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.messages import Reply, RequestMessage
from cvec_circus_core.requests.dispatch import Dispatcher, failure_of
from cvec_circus_core.requests.eager_task import begin
from cvec_circus_core.requests.rate_limits import Admission, RateLimiter
from cvec_circus_core.system.protocols import Clock

Send = Callable[[Reply], None]
"""Takes the reply to one request to where it came from."""


class RequestPort(Protocol):
    """What an entrance needs."""

    async def answer(self, message: RequestMessage, caller: Caller, *, size: int = 0) -> Reply:
        """Return the reply to a request. ``size`` is what it took on the wire, in bytes."""


class RequestService:
    """Answers the requests of all entrances."""

    def __init__(
        self, dispatcher: Dispatcher, clock: Clock, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._dispatcher = dispatcher
        self._loop = loop
        self._limits = RateLimiter(clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._to_begin = 0
        """Tasks that have not taken their first step."""

    async def answer(self, message: RequestMessage, caller: Caller, *, size: int = 0) -> Reply:
        """Return the reply to a request, which is a refusal where the caller asks too much."""
        connection = caller.name.encode()
        fault = self._fault(caller, size) or self._limits.open(connection)
        if fault is not None:
            return failure_of(fault, message.command)
        try:
            return await self._dispatcher.answer(message, caller)
        finally:
            self._limits.close(connection)

    def count(self, caller: Caller) -> Admission:
        """Count a message that has come, and tell what becomes of it."""
        return self._limits.count(caller)

    def refusal(self, caller: Caller) -> CircusError:
        """Return the error for a message that was counted and is refused."""
        return self._limits.refusal(caller)

    def oversize(self, caller: Caller, size: int) -> CircusError | None:
        """Return the error for a message that is too large for who sends it."""
        return self._limits.oversize(caller, size)

    def begin(self, message: RequestMessage, caller: Caller, connection: bytes, send: Send) -> None:
        """Begin a request that was counted; its reply goes to ``send``, that of a cast nowhere."""
        if fault := self._limits.open(connection):
            send(failure_of(fault, message.command))
            return
        task: asyncio.Task[None] | None
        # Requests begin in the order in which they came: a reader sees what it has asked before.
        if not self._to_begin and self._dispatcher.is_prompt(message):
            task = begin(self._loop, self._reply(message, caller, send))
        else:
            self._to_begin += 1
            task = self._loop.create_task(self._in_turn(message, caller, send))
        if task is None:
            self._limits.close(connection)
            return
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, connection))

    async def wait_answered(self, seconds: float) -> None:
        """Wait until the requests that have begun are answered, for so long at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def close(self) -> None:
        """Answer nothing any more."""
        for task in self._tasks:
            task.cancel()

    def _fault(self, caller: Caller, size: int) -> CircusError | None:
        if self.count(caller) is not Admission.WELCOME:
            return self.refusal(caller)
        return self.oversize(caller, size)

    def _done(self, connection: bytes, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._limits.close(connection)

    async def _in_turn(self, message: RequestMessage, caller: Caller, send: Send) -> None:
        self._to_begin -= 1
        await self._reply(message, caller, send)

    async def _reply(self, message: RequestMessage, caller: Caller, send: Send) -> None:
        reply = await self._dispatcher.answer(message, caller)
        if not message.cast:
            send(reply)
