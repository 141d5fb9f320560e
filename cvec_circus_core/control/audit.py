"""Who did what, when, and with what outcome: a line in the log for each act and each refusal.

A line holds names, never values: what an option was set to may be a secret. All words come from
outside, so they are written as Python would, on one line. A caller who is refused again and again
does not fill the log.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus_core.model.access import LocalUser, Visitor
from cvec_circus_core.model.errors import Errno
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage
from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

REFUSALS = 10
"""Lines for the refusals of one caller in each `PERIOD`."""
PERIOD = 60.0
"""Seconds."""

_TOLD = ("name", "match", "pid", "process", "childpid", "signum", "nb")
_NAMED = ("options", "keys")
_LONGEST = 200


class Audit:
    """Writes the lines."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.now()
        self._refusals: dict[str, int] = {}

    def tell(self, visitor: Visitor, message: RequestMessage, reply: Reply, *, acts: bool) -> None:
        """Tell of one request that was answered."""
        refused = isinstance(reply, Failure) and reply.errno == Errno.NOT_ALLOWED
        if not (acts or refused) or (refused and not self._is_worth_a_line(visitor)):
            return
        what = " ".join((_short(message.command), *_details(message.properties)))
        match reply:
            case Failure(reason) if refused:
                outcome = f"refused: {_short(reason)}"
            case Failure(reason, number):
                outcome = f"failed with errno {int(number)}: {_short(reason)}"
            case _:
                outcome = "ok"
        log.info("%s: %s: %s", _who(visitor), what, outcome)

    def tell_turned_away(self, visitor: Visitor) -> None:
        """Tell of somebody who wanted to hear events."""
        if self._is_worth_a_line(visitor):
            log.info(
                "%s: events: refused: may not read; viewers in [circus] lets them", _who(visitor)
            )

    def _is_worth_a_line(self, visitor: Visitor) -> bool:
        now = self._clock.now()
        if now - self._since >= PERIOD:
            self._since = now
            self._refusals.clear()
        count = self._refusals.get(visitor.name, 0)
        if count < REFUSALS:
            self._refusals[visitor.name] = count + 1
        elif count == REFUSALS:
            self._refusals[visitor.name] = count + 1
            log.info("%s: further refusals are not told for a while", _who(visitor))
        return count < REFUSALS


def _who(visitor: Visitor) -> str:
    match visitor.caller:
        case LocalUser(uid, None):
            return f"{visitor.name} (uid {uid})"
        case LocalUser(uid, pid):
            return f"{visitor.name} (uid {uid}, pid {pid})"
        case _:
            return visitor.name


def _details(properties: Mapping[str, Any]) -> Iterable[str]:
    for key in _TOLD:
        if isinstance(properties.get(key), str | int | float):
            yield f"{key}={_short(properties[key])}"
    for key in _NAMED:
        names = properties.get(key)
        if isinstance(names, Mapping | list):
            yield f"{key}={_short(','.join(str(name) for name in names))}"


def _short(word: Any) -> str:
    said = word if isinstance(word, str) and word.isidentifier() else ascii(word)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
