"""The statistics endpoint, as the plugin that feeds it sees it: who listens, and send.

Bound by anyone who runs that plugin, in a process of its own or in a thread of the daemon, and
always in a ZeroMQ context of its own, because one context has one authenticator. The access rule is
that of the event endpoint: root, the daemon's user, those who are listed, and viewers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import zmq

from cvec_circus_core.config.mappings import arbiter_from_mapping
from cvec_circus_core.control.broadcast import Broadcast
from cvec_circus_core.control.endpoint_repair import EndpointRepair
from cvec_circus_core.control.endpoints import EndpointSecurity
from cvec_circus_core.model.access import ACCESS
from cvec_circus_core.model.events import Event
from cvec_circus_core.model.specs import ArbiterSpec
from cvec_circus_core.model.values import Struct, replace
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.system.clock import AsyncioClock

QUEUED = 20_000
"""Messages that wait for one subscriber at most; one sample of ten thousand processes fits."""

_LAST_WORDS = 0.5
_TOPIC = b"stat."


class _Lists(Struct, frozen=True):
    """What the security of the endpoint asks for: lists. No watcher's list lets anybody read."""

    spec: ArbiterSpec

    def watchers(self) -> Sequence[Any]:
        """Return nobody."""
        return ()


def _tell_nobody(event: Event) -> None:
    """Leave it at a line in the log: this is not where events are told."""


class StatsEndpoint:
    """Publishes statistics to those who may read; belongs to the running loop.

    ``access`` holds those of the options in `ACCESS` that are set. Raises `CannotBind` and
    `BadMessage`, and `ConfigError` for keys.
    """

    def __init__(
        self,
        endpoint: str,
        access: Mapping[str, Any],
        on_audience: Callable[[], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        clock = AsyncioClock(loop)
        options = {key: access[key] for key in ACCESS if access.get(key) is not None}
        spec = replace(arbiter_from_mapping(options), stats_endpoint=endpoint)
        self._context: zmq.Context[Any] = zmq.Context()
        self._security: EndpointSecurity | None = None
        try:
            self._security = security = EndpointSecurity(
                self._context, _Lists(spec), clock, loop, Audit(clock, _tell_nobody)
            )
            self._broadcast = Broadcast(
                self._context,
                security.place("stats_endpoint"),
                security.authentication("stats_endpoint", readers_only=True),
                loop,
                QUEUED,
                on_audience,
            )
        except BaseException:
            self._end()
            raise
        self.endpoint = self._broadcast.endpoint
        security.is_bound(self.endpoint)
        self._repair = EndpointRepair(loop, lambda: (self._broadcast,))

    @property
    def has_audience(self) -> bool:
        """Whether anybody listens."""
        return bool(self._broadcast.topics)

    def wants(self, group: str) -> bool:
        """Tell whether anybody wants something of a group: a watcher as in the topic."""
        whole = _TOPIC + group.encode()
        return any(
            whole.startswith(topic) or topic.startswith(whole) for topic in self._broadcast.topics
        )

    def send(self, topic: str, body: bytes) -> None:
        """Send a JSON object to anyone who subscribed to the topic, told without its ``stat.``."""
        self._broadcast.send(_TOPIC + topic.encode(), body)

    def renew(self) -> None:
        """Read again who is let in by key, and turn away those who are there and are not."""
        if self._security is not None:
            self._security.renew()

    def close(self) -> None:
        """Send nothing more; what waits may leave within half a second."""
        self._repair.close()
        self._broadcast.close(_LAST_WORDS)
        self._end()

    def _end(self) -> None:
        if self._security is not None:
            self._security.close()
        self._context.term()
