"""The control endpoint: a ROUTER that takes DEALER, REQ and hand-written clients alike.

A request is ``[identity, body]`` or ``[identity, empty, body]``; the reply has the same shape.
Every message gets an answer, however broken, unless it asked for none (cast). Requests run side by
side, each in a task of its own; replies go out as they finish. How much one caller may ask is
bounded (`bounds.py`).
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

import zmq

from cvec_circus_core.control.codec import decode, encode, id_of, request_of
from cvec_circus_core.control.eager_task import begin
from cvec_circus_core.control.peers.authentication import Authentication, Place, open_behind
from cvec_circus_core.control.socket_reader import SocketReader
from cvec_circus_core.model.access import Caller
from cvec_circus_core.model.errors import AnotherDaemon, BadMessage, CircusError
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage
from cvec_circus_core.requests.dispatch import Dispatcher, failure_of
from cvec_circus_core.requests.rate_limits import Admission, RateLimiter
from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

LARGEST_MESSAGE = 1 << 20
"""Bytes; libzmq drops the connection of a peer that sends more."""

QUEUED = 128
"""Messages of one connection that are taken from it before they are looked at."""

REQUESTS_AT_ONCE = 16
"""Requests that are taken before others have their turn: a client that floods the daemon makes the
next one wait for so many."""

_WRONG_FRAMES = BadMessage("a request must be one frame")


class ControlServer:
    """Answers requests on one endpoint."""

    def __init__(
        self,
        context: zmq.Context[Any],
        place: Place,
        entrance: Authentication,
        dispatcher: Dispatcher,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        daemon_id: str = "",
    ) -> None:
        self._daemon_id = daemon_id
        self._entrance = entrance
        self._dispatcher = dispatcher
        self._clock = clock
        self._loop = loop
        self._bounds = RateLimiter(clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._to_begin = 0
        """Tasks that have not taken their first step."""
        self._socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)
        self._socket.setsockopt(zmq.RCVHWM, QUEUED)
        self.endpoint = open_behind(entrance, place, self._socket)
        self._drain = SocketReader(self._socket, loop, self._take, REQUESTS_AT_ONCE, copy=False)

    def bind_too(self, endpoint: str) -> None:
        """Answer on one more endpoint."""
        self._socket.bind(endpoint)
        self._drain.look_again()

    def close(self, linger: float = 0.0) -> None:
        """Answer nobody any more; replies already given may take ``linger`` seconds to leave."""
        self._drain.close()
        for task in self._tasks:
            task.cancel()
        self._entrance.close()
        self._socket.close(linger=int(linger * 1000))

    async def wait_answered(self, seconds: float) -> None:
        """Wait until the requests that are done have their replies, for so long at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def _take(self, message_frames: list[zmq.Frame]) -> None:
        caller = self._entrance.caller_of(message_frames[-1])
        word = self._bounds.word(caller)
        if word is Admission.UNREAD:
            return
        frames = [message_frame.bytes for message_frame in message_frames]
        address, body = frames[:-1], frames[-1]
        if len(address) != 1 and not (len(address) == 2 and not address[1]):
            self._send(address[:1], failure_of(_WRONG_FRAMES, "?"), None)
            return
        if fault := self._bounds.fault(caller, len(body)):
            self._send(address, failure_of(fault, "?"), None)
            return
        value: Any = None
        try:
            value = decode(body)
            if word is Admission.REFUSED:
                raise self._bounds.refusal(caller)
            message = request_of(value)
            if message.daemon not in (None, self._daemon_id):
                raise AnotherDaemon
        except CircusError as error:
            self._send(address, failure_of(error, "?"), id_of(value))
            return
        if fault := self._bounds.open(address[0]):
            self._send(address, failure_of(fault, message.command), message.id)
            return
        task: asyncio.Task[None] | None
        # Requests begin in the order in which they came: who looks sees what he has asked before.
        if not self._to_begin and self._dispatcher.is_prompt(message):
            task = begin(self._loop, self._answer(address, message, caller))
        else:
            self._to_begin += 1
            task = self._loop.create_task(self._in_turn(address, message, caller))
        if task is None:
            self._bounds.close(address[0])
            return
        self._tasks.add(task)
        task.add_done_callback(partial(self._done, address[0]))

    def _done(self, connection: bytes, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._bounds.close(connection)

    async def _in_turn(self, address: list[bytes], message: RequestMessage, caller: Caller) -> None:
        self._to_begin -= 1
        await self._answer(address, message, caller)

    async def _answer(self, address: list[bytes], message: RequestMessage, caller: Caller) -> None:
        reply = await self._dispatcher.answer(message, caller)
        if not message.cast:
            self._send(address, reply, message.id)
        elif isinstance(reply, Failure):
            log.warning("cast %s was refused: %s", message.command, reply.reason)

    def _send(self, address: list[bytes], reply: Reply, id_: Any) -> None:
        frame = encode(reply, id_, self._clock.wall())
        try:
            self._socket.send_multipart([*address, frame], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.warning("a reply could not be sent: %s", error)
        self._drain.look_again()
