"""The control endpoint: a ROUTER that takes DEALER, REQ and hand-written clients alike.

A request is ``[identity, body]`` or ``[identity, empty, body]``; the reply has the same shape.
Every message gets an answer, however broken, unless it asked for none (cast). Here frames become
messages and replies frames; everything between is the business of `requests/service.py`. Requests
run side by side, and replies go out as they finish.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

import zmq

from cvec_circus_core.control.codec import decode, encode, id_of, request_of
from cvec_circus_core.control.peers.authentication import Authentication, Bindable, open_behind
from cvec_circus_core.control.socket_reader import SocketReader
from cvec_circus_core.model.errors import AnotherDaemon, BadMessage, CircusError
from cvec_circus_core.model.messages import Reply
from cvec_circus_core.requests.dispatch import failure_of
from cvec_circus_core.requests.rate_limits import Admission
from cvec_circus_core.requests.service import RequestService
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
        place: Bindable,
        authentication: Authentication,
        requests: RequestService,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        daemon_id: str = "",
    ) -> None:
        self._daemon_id = daemon_id
        self._place = place
        self._authentication = authentication
        self._requests = requests
        self._clock = clock
        self._socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)
        self._socket.setsockopt(zmq.RCVHWM, QUEUED)
        self.endpoint = open_behind(authentication, place, self._socket)
        self._reader = SocketReader(self._socket, loop, self._take, REQUESTS_AT_ONCE, copy=False)

    def bind_too(self, endpoint: str) -> None:
        """Answer on one more endpoint."""
        self._socket.bind(endpoint)
        self._reader.look_again()

    def mend(self) -> bool:
        """Make the file of the endpoint again if it is gone, and tell so. Raises `CannotBind`."""
        is_mended = self._place.mend(self._socket)
        self._reader.look_again()
        return is_mended

    def close(self, linger: float = 0.0) -> None:
        """Answer nobody any more; replies already given may take ``linger`` seconds to leave."""
        self._reader.close()
        self._authentication.close()
        self._socket.close(linger=int(linger * 1000))

    def _take(self, message_frames: list[zmq.Frame]) -> None:
        caller = self._authentication.caller_of(message_frames[-1])
        admission = self._requests.count(caller)
        if admission is Admission.UNREAD:
            return
        frames = [message_frame.bytes for message_frame in message_frames]
        address, body = frames[:-1], frames[-1]
        if len(address) != 1 and not (len(address) == 2 and not address[1]):
            self._send(address[:1], None, failure_of(_WRONG_FRAMES, "?"))
            return
        if fault := self._requests.oversize(caller, len(body)):
            self._send(address, None, failure_of(fault, "?"))
            return
        value: object = None
        try:
            value = decode(body)
            if admission is Admission.REFUSED:
                raise self._requests.refusal(caller)
            message = request_of(value)
            if message.daemon not in (None, self._daemon_id):
                raise AnotherDaemon
        except CircusError as error:
            self._send(address, id_of(value), failure_of(error, "?"))
            return
        send = partial(self._send, address, message.id)
        self._requests.begin(message, caller, address[0], send)

    def _send(self, address: list[bytes], id_: object, reply: Reply) -> None:
        frame = encode(reply, id_, self._clock.wall())
        try:
            self._socket.send_multipart([*address, frame], zmq.NOBLOCK)
        except zmq.ZMQError as error:
            log.warning("a reply could not be sent: %s", error)
        self._reader.look_again()
