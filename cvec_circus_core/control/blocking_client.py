"""The blocking client: one call at a time, for scripts and for circusctl.

It imports little, because circusctl's start is felt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import zmq

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
from cvec_circus_core.control.client_sockets import connect, refuse_nothing, unreachable
from cvec_circus_core.control.connection_watch import ConnectionWatch
from cvec_circus_core.model.errors import NoAnswer
from cvec_circus_core.system.deadline import Deadline
from cvec_circus_core.system.listeners import ListenerCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cvec_circus_core.model.curve_keys import CurveKeys


_AT_ONCE = 0.3
"""Seconds in which a listener has begun to talk, mostly, and a daemon been taken over."""


class CircusClient:
    """Sends commands to a daemon and waits for the replies.

    Error replies are returned, not raised. No reply at all raises `CallError`, after ``timeout``
    seconds. Not for use by several threads at once. ``keys`` is a folder of keys, or `CurveKeys`,
    for daemons of other machines; without, they are found where `circusctl keygen` has put them.
    Nothing is sent where another user of this machine listens whom ``trust_user`` does not name
    (one or several; ``"*"`` is anybody). Where nothing listens yet, the first call waits for it, as
    long as its timeout is; see `waits_for_daemon`.
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        endpoint: str = DEFAULT_ENDPOINT,
        timeout: float = DEFAULT_TIMEOUT,
        ssh_server: str | None = None,
        ssh_keyfile: str | None = None,
        keys: str | CurveKeys | None = None,
        trust_user: str | Sequence[str] = (),
    ) -> None:
        self.endpoint = endpoint
        self.timeout = timeout
        self.waits_for_daemon = True
        """False: where the kernel says that nothing listens, a call fails at once."""
        self.check_listener: Callable[[], None] = ListenerCheck(endpoint, trust_user)
        """Is called once somebody listens, and before anything is sent; may raise `CallError`."""
        chosen_context = context or zmq.Context()
        self._own_context = None if context else chosen_context
        self._socket = chosen_context.socket(zmq.DEALER)
        self._is_tunnel = ssh_server is not None
        self._watch = ConnectionWatch(chosen_context, self._socket, endpoint)
        self._breaks: int | None = None
        try:
            self._key = connect(self._socket, endpoint, ssh_server, ssh_keyfile, keys)
        except BaseException:
            self._watch.close()
            raise

    def call(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return its reply; for a cast, return an empty mapping at once.

        Raises `CallError` where nobody answers in time. The command is not called off by that.
        """
        deadline = Deadline(self.timeout)
        id = self.ask(message)
        if is_cast(message):
            return {}
        try:
            return with_id_of(message, self.answer(id, deadline.left()))
        except NoAnswer:
            self._watch.forget_unsent()
            raise

    def send_message(self, command: str, /, **props: object) -> dict[str, Any]:
        """Call a command with these properties and return the reply."""
        return self.call(make_message(command, **props))

    def ask(self, message: Mapping[str, Any]) -> str:
        """Send a request and return the id that `answer` takes.

        Raises `NothingListens`, and `NoAnswer` where a listener does not begin to talk.
        """
        id = new_id()
        frame = encode(message, id)
        if not self.waits_for_daemon and not self._is_tunnel:
            self._refuse_nothing()
        is_up = self._watch.wait_up(self.timeout)
        if not self._is_tunnel:
            self.check_listener()  # also one that does not talk to us
        if not is_up:
            raise unreachable(
                self.endpoint, self.timeout, through_ssh=self._is_tunnel, key=self._key
            )
        self._socket.send(frame, zmq.NOBLOCK)
        return id

    def _refuse_nothing(self) -> None:
        if not self._watch.wait_up(min(_AT_ONCE, self.timeout)):
            refuse_nothing(self.endpoint)

    def answer(self, id: str, timeout: float) -> dict[str, Any]:
        """Return the reply to this request, skipping those to others. Raises `NoAnswer`.

        May be called again for the same request, to wait longer.
        """
        deadline = Deadline(timeout)
        while self._socket.poll(_milliseconds(deadline.left())):
            reply = decode(self._socket.recv_multipart()[-1])
            if reply is not None and reply.get("id") == id:
                return reply
        raise NoAnswer(self.endpoint, self.timeout)

    def is_broken(self) -> bool:
        """Tell whether the connection broke after this was asked for the first time.

        Replies to what was sent before that will never come, even when it is there again.
        """
        breaks = self._watch.count_breaks()
        if self._breaks is None:
            self._breaks = breaks
        return breaks > self._breaks

    def stop(self, linger: float = 0.0) -> None:
        """Close the connection; what was not delivered in ``linger`` seconds is dropped."""
        self._watch.close()
        self._socket.close(linger=_milliseconds(linger))
        if self._own_context is not None:
            self._own_context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * 1000))
