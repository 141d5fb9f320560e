"""Answers the handshakes of a ZeroMQ context, each for its endpoint (ZAP, RFC 27)."""

from __future__ import annotations

import asyncio
from typing import Any

import zmq

from cvec_circus_core.control.peers.authentication import Handshake
from cvec_circus_core.control.peers.authenticator import PeerAuthenticator
from cvec_circus_core.control.socket_reader import SocketReader


class ZapHandler:
    """One for all endpoints of a context: ZeroMQ takes only one."""

    def __init__(self, context: zmq.Context[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._authenticators: dict[bytes, PeerAuthenticator] = {}
        self._socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self._socket.linger = 0
        try:
            self._socket.bind("inproc://zeromq.zap.01")
        except BaseException:
            self._socket.close()
            raise
        self._drain = SocketReader(self._socket, loop, self._answer)

    def watch(self, authenticator: PeerAuthenticator) -> None:
        """Answer for an authenticator."""
        self._authenticators[authenticator.domain.encode()] = authenticator

    def close(self) -> None:
        """Answer nobody any more."""
        self._drain.close()
        self._socket.close()

    def _answer(self, frames: list[bytes]) -> None:
        # As in RFC 27: an envelope, then version, number, domain, address, …
        end = frames.index(b"") + 1
        envelope, request = frames[:end], frames[end:]
        self._socket.send_multipart([*envelope, *request[:2], *self._reply(request)], zmq.NOBLOCK)
        self._drain.look_again()

    def _reply(self, said: list[bytes]) -> tuple[bytes, bytes, bytes, bytes]:
        _, _, domain, address, _, mechanism, *credentials = said
        authenticator = self._authenticators.get(domain)
        if authenticator is None:
            return b"400", b"no authenticator has this name", b"", b""
        key = credentials[0].hex() if mechanism == b"CURVE" and credentials else None
        words = authenticator.greet(Handshake(address.decode("utf-8", "replace"), key))
        if words is None:
            return b"400", b"not let in", b"", b""
        return b"200", b"", words.encode(), b""
