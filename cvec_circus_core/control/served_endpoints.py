"""The control and the event endpoint of a daemon, from bind to last words.

The ZeroMQ context is ended with them where it is ours, once what was said last has left. Where the
socket of somebody who hangs keeps it, it is left to the end of the process.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from typing import Any

import zmq

from cvec_circus_core.control.endpoints import EndpointSecurity
from cvec_circus_core.control.publisher import EventPublisher
from cvec_circus_core.control.server import ControlServer
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.requests.service import RequestService
from cvec_circus_core.system.protocols import Clock

LAST_WORDS = 1.0
"""Seconds for replies and events that are still on their way at the end."""
UNWATCHED = 0.1
"""Seconds for last words to leave where nothing tells that they have."""
_HELD: list[zmq.Context[Any]] = []


class EngineContext:
    """The ZeroMQ context of an engine.

    A given one is needed for inproc endpoints alone, which are reached through it. For all else one
    of our own is better, because one context has one authenticator. ``realtime`` is the priority of
    the thread that carries messages; it must be allowed.
    """

    def __init__(
        self, spec: ArbiterSpec, given: zmq.Context[Any] | None, realtime: int | None
    ) -> None:
        endpoints = (spec.endpoint, spec.pubsub_endpoint)
        is_needed = any(endpoint.startswith("inproc://") for endpoint in endpoints)
        needed = given if is_needed else None
        self._is_ours = needed is None
        self.zmq: zmq.Context[Any] = needed or zmq.Context()
        if realtime is not None:
            self.zmq.set(zmq.THREAD_SCHED_POLICY, os.SCHED_RR)
            self.zmq.set(zmq.THREAD_PRIORITY, realtime)

    async def end(self, seconds: float, *, is_in_use: bool) -> None:
        """End it, once its sockets are closed; one in use is left behind, after these seconds."""
        if is_in_use:
            # Ending it would wait for the socket of a plugin that hangs; so would forgetting it.
            _HELD.append(self.zmq)
            # The process may end at once: what was said last leaves in libzmq's own thread.
            await asyncio.sleep(seconds)
        elif self._is_ours:
            # Lingering sockets hold the context: ending it may take until their last word is out.
            await asyncio.to_thread(self.zmq.term)


class ServedEndpoints:
    """Both endpoints, bound, and who is let in there. Raises `CannotBind`: then nothing is open."""

    def __init__(
        self,
        context: zmq.Context[Any],
        security: EndpointSecurity,
        requests: RequestService,
        clock: Clock,
        daemon_id: str,
    ) -> None:
        self.security = security
        self._requests = requests
        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            stack.callback(security.close)
            self.server = ControlServer(
                context,
                security.place("endpoint"),
                security.authentication("endpoint"),
                requests,
                clock,
                loop,
                daemon_id,
            )
            stack.callback(self.server.close, LAST_WORDS)
            self.publisher = EventPublisher(
                context,
                security.place("pubsub_endpoint"),
                security.authentication("pubsub_endpoint", readers_only=True),
                loop,
            )
            security.is_bound(self.server.endpoint)
            security.is_bound(self.publisher.endpoint)
            stack.pop_all()

    @property
    def endpoints(self) -> tuple[str, str]:
        """The control and the event endpoint as they were bound."""
        return self.server.endpoint, self.publisher.endpoint

    async def close(self) -> None:
        """Answer what can be answered soon, and close both."""
        await self._requests.wait_answered(LAST_WORDS)
        self._requests.close()
        self.server.close(LAST_WORDS)
        self.publisher.close(LAST_WORDS)
        self.security.close()
