"""Clients. A reply that does not come raises a `CallError` that says "Timed out."."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from circus.exc import CallError
from circus.util import DEFAULT_ENDPOINT_DEALER
from cvec_circus_core.api import (
    AsyncCircusClient as _AsyncCircusClient,
    CircusClient as _CircusClient,
    NoAnswer,
    NothingListens,
    cast_message,
    make_json,
    make_message,
)

__all__ = [
    "DEFAULT_ENDPOINT_DEALER",
    "AsyncCircusClient",
    "CallError",
    "CircusClient",
    "cast_message",
    "make_json",
    "make_message",
]

_TIMED_OUT = "Timed out."


class CircusClient(_CircusClient):
    """Sends commands and waits for the replies."""

    def call(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return its reply. Raises `CallError`."""
        if not isinstance(message, Mapping):
            raise CallError("a message is a mapping")
        try:
            return super().call(message)
        except (NoAnswer, NothingListens) as error:
            raise CallError(_TIMED_OUT) from error

    def stop(self, linger: float = 0.0) -> None:
        """Close the connection, as often as one likes."""
        if not self._socket.closed:
            super().stop(linger)


class AsyncCircusClient(_AsyncCircusClient):
    """Sends commands; the replies are awaited."""

    async def call(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return its reply. Raises `CallError`."""
        try:
            return await super().call(message)
        except (NoAnswer, NothingListens) as error:
            raise CallError(_TIMED_OUT) from error
