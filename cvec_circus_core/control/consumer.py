"""The blocking subscriber: events as they come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

import zmq

from cvec_circus_core.control.client_sockets import connect, refuse_nothing, unreachable
from cvec_circus_core.system.listeners import ListenerCheck

if TYPE_CHECKING:
    from cvec_circus_core.model.curve_keys import CurveKeys
    from cvec_circus_core.model.errors import CallError

EVENT_ENDPOINT = "tcp://127.0.0.1:5556"
_AT_ONCE = 0.1


class CircusConsumer:
    """Yields pairs of topic and body, both bytes, for the topics that begin like one of these.

    Events that were sent before the subscription had reached the daemon are not seen. Those of
    another user of this machine, whom ``trust_user`` does not name, are not taken: `CallError`.
    """

    def __init__(
        self,
        topics: Sequence[str | bytes],
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        endpoint: str = EVENT_ENDPOINT,
        ssh_server: str | None = None,
        ssh_keyfile: str | None = None,
        keys: str | CurveKeys | None = None,
        trust_user: str | Sequence[str] = (),
    ) -> None:
        self.endpoint = endpoint
        chosen_context = context or zmq.Context()
        self._own_context = None if context else chosen_context
        self._socket = chosen_context.socket(zmq.SUB)
        self._connected = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        for topic in topics:
            self._socket.subscribe(topic)
        self._is_tunnel = ssh_server is not None
        self._check_listener = ListenerCheck(endpoint, trust_user)
        try:
            self._key = connect(self._socket, endpoint, ssh_server, ssh_keyfile, keys)
        except BaseException:
            # It has closed its socket; a context would wait for the other one without end.
            self._connected.close(linger=0)
            if self._own_context is not None:
                self._own_context.term()
            raise

    def iter_messages(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield events without end; leave the loop, or interrupt it, to stop."""
        while True:
            frames = self._frames()
            if len(frames) == 2:
                yield frames[0], frames[1]

    def receive(self, timeout: float) -> tuple[bytes, bytes] | None:
        """Return the next event, or None where none came within so many seconds."""
        if not self._socket.poll(round(timeout * 1000)):
            return None
        frames = self._frames()
        return (frames[0], frames[1]) if len(frames) == 2 else None

    def _frames(self) -> list[bytes]:
        frames = self._socket.recv_multipart()
        if not self._is_tunnel:
            self._check_listener()
        return frames

    def wait_connected(self, timeout: float) -> bool:
        """Wait until the publisher is there; return False where that takes longer, in seconds."""
        return bool(self._connected.poll(round(timeout * 1000)))

    def refuse_nothing(self) -> None:
        """Raise `NothingListens` where the kernel says at once that nothing does."""
        if not self._is_tunnel and not self.wait_connected(_AT_ONCE):
            refuse_nothing(self.endpoint)

    def trouble(self, timeout: float) -> CallError:
        """Return why the publisher is not there, after so many seconds."""
        return unreachable(self.endpoint, timeout, through_ssh=self._is_tunnel, key=self._key)

    def stop(self) -> None:
        """Close the connection."""
        self._socket.disable_monitor()
        self._connected.close()
        self._socket.close()
        if self._own_context is not None:
            self._own_context.term()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return self.iter_messages()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
