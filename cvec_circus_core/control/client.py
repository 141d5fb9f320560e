"""The asynchronous client: many calls at once over one connection, matched by id.

One task reads. It is started by the first call and ended by `stop`; a caller that is cancelled or
times out only takes its own future away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import zmq
import zmq.asyncio

from cvec_circus_core.control.calls import (
    DEFAULT_ENDPOINT,
    DEFAULT_TIMEOUT,
    decode,
    encode,
    is_cast,
    make_message,
    new_id,
    with_id_of,
)
from cvec_circus_core.control.client_sockets import connect, unreachable
from cvec_circus_core.control.connection_watch import ConnectionWatch
from cvec_circus_core.model.errors import CallError, NoAnswer
from cvec_circus_core.system.listeners import ListenerCheck

if TYPE_CHECKING:
    from cvec_circus_core.model.curve_keys import CurveKeys


class AsyncCircusClient:
    """Sends commands to a daemon; any number of calls may be under way.

    Error replies are returned, not raised. No reply at all raises `CallError`, after ``timeout``
    seconds. To be used within one event loop. ``keys`` is a folder of keys, or `CurveKeys`, for
    daemons of other machines; without, they are found where `circusctl keygen` has put them.
    Nothing is sent where another user of this machine listens whom ``trust_user`` does not name
    (one or several; ``"*"`` is anybody).
    """

    def __init__(
        self,
        context: zmq.Context[Any] | None = None,
        endpoint: str = DEFAULT_ENDPOINT,
        timeout: float = DEFAULT_TIMEOUT,
        ssh_server: str | None = None,
        ssh_keyfile: str | None = None,
        keys: str | CurveKeys | None = None,
        trust_user: str | Sequence[str] = (),
    ) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        chosen_context = context or zmq.Context()
        self._own_context = None if context else chosen_context
        self._socket = zmq.asyncio.Context.shadow(chosen_context).socket(zmq.DEALER)
        self._is_tunnel = ssh_server is not None
        self._check_listener = ListenerCheck(endpoint, trust_user)
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._watch = ConnectionWatch(chosen_context, self._socket, endpoint)
        self._turn_to_wait = asyncio.Lock()
        try:
            self._key = connect(self._socket, endpoint, ssh_server, ssh_keyfile, keys)
        except BaseException:
            self._watch.close()
            raise

    async def call(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return its reply; for a cast, return an empty mapping at once.

        Raises `CallError` where nobody answers in time. The command is not called off by that.
        """
        if self._reader is None:
            self._reader = asyncio.create_task(self._read(), name="circus client")
        id = new_id()
        frame = encode(message, id)
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self.timeout
        if is_cast(message):
            await self._send(frame, give_up_at)
            return {}
        reply = self._waiting[id] = loop.create_future()
        try:
            await self._send(frame, give_up_at)
            async with asyncio.timeout_at(give_up_at):
                return with_id_of(message, await reply)
        except TimeoutError:
            self._watch.forget_unsent()
            raise NoAnswer(self.endpoint, self.timeout) from None
        finally:
            self._waiting.pop(id, None)

    async def send_message(self, command: str, /, **props: object) -> dict[str, Any]:
        """Call a command with these properties and return the reply."""
        return await self.call(make_message(command, **props))

    async def stop(self) -> None:
        """Close the connection; calls that are under way raise `CallError`."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.cancel()
            await asyncio.wait([reader])
        self._fail_all(CallError("the client was stopped"))
        self._watch.close()
        self._socket.close()
        if self._own_context is not None:
            self._own_context.term()

    async def _send(self, frame: bytes, give_up_at: float) -> None:
        try:
            async with asyncio.timeout_at(give_up_at):
                async with self._turn_to_wait:
                    await self._until_up()
                if not self._is_tunnel:
                    self._check_listener()
                await self._socket.send(frame)
        except TimeoutError:
            raise await asyncio.to_thread(self._unreachable) from None

    async def _until_up(self) -> None:
        if self._watch.is_up:
            return
        loop, has_news = asyncio.get_running_loop(), asyncio.Event()
        descriptor = self._watch.descriptor  # which is not told any more once we are stopped
        loop.add_reader(descriptor, has_news.set)
        try:
            while not self._watch.is_up:
                await has_news.wait()
                has_news.clear()
        finally:
            loop.remove_reader(descriptor)

    def _unreachable(self) -> CallError:
        return unreachable(self.endpoint, self.timeout, through_ssh=self._is_tunnel, key=self._key)

    async def _read(self) -> None:
        try:
            while True:
                reply = decode((await self._socket.recv_multipart())[-1])
                future = None if reply is None else self._waiting.get(str(reply.get("id")))
                if future is not None and reply is not None and not future.done():
                    future.set_result(reply)
        except Exception as error:
            self._fail_all(CallError(f"the connection to {self.endpoint} broke: {error}"))

    def _fail_all(self, error: CallError) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
