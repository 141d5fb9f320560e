"""The two messages of the control channel, after decoding and before encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """One request as it came off the wire: the envelope is checked, the properties are not."""

    command: str
    properties: Mapping[str, Any]
    id: Any = None
    cast: bool = False
    """The sender wants no reply."""


@dataclass(frozen=True, slots=True)
class Success:
    """A reply that tells a result; ``result`` may overwrite ``status`` (see `status`)."""

    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failure:
    """A reply that tells why not."""

    reason: str
    errno: int
    detail: str | None = None
    """A traceback, only where the fault is ours."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other keys of the reply."""


Reply = Success | Failure
