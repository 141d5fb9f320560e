"""The two messages of the control channel, after decoding and before encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus_core.model.access import Person
from cvec_circus_core.model.values import Struct, field


class RequestMessage(Struct, frozen=True):
    """One request as it came off the wire: the envelope is checked, the properties are not."""

    command: str
    properties: Mapping[str, Any]
    id: Any = None
    cast: bool = False
    """The sender wants no reply."""
    daemon: str | None = None
    """The daemon that is meant, where the sender is a helper of one; no other may answer."""
    plugin: str | None = None
    """Which plugin in a thread of the daemon has sent it; of others it is not believed."""
    person: Person | None = None
    """On whose behalf a program asks; what they may not, it may not for them."""


class Success(Struct, frozen=True):
    """A reply that tells a result; ``result`` may overwrite ``status`` (see `status`)."""

    result: Mapping[str, Any]


class Failure(Struct, frozen=True):
    """A reply that tells why not."""

    reason: str
    errno: int
    detail: str | None = None
    """A traceback, only where the fault is ours."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other keys of the reply."""


Reply = Success | Failure
