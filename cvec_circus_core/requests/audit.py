"""Who did what, when, and with what outcome: a line in the log, and an event, for each act and each
refusal.

They hold names, never values: what an option was set to may be a secret. All words come from
outside, so they are shown as `model/text.py` says, in the line, in the event and in its topic. A
caller who is refused again and again does not fill the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from cvec_circus_core.model.access import Caller, Identity, KeyHolder, LocalUser, SignedIn
from cvec_circus_core.model.errors import Errno
from cvec_circus_core.model.events import CommandAudited, Event
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage
from cvec_circus_core.model.text import LONGEST_SHOWN, LineQuota, Share, escaped, quoted
from cvec_circus_core.system.protocols import Clock

log = logging.getLogger(__name__)

_TOLD = ("name", "match", "pid", "process", "childpid", "signum", "nb", "act", "holder")
_NAMED = ("options", "keys")


class Audit:
    """Writes the lines, and tells the events to ``emit``."""

    def __init__(self, clock: Clock, emit: Callable[[Event], None]) -> None:
        self._clock = clock
        self._emit = emit
        self._quota = LineQuota()

    def tell(self, caller: Caller, message: RequestMessage, reply: Reply, *, acts: bool) -> None:
        """Tell of one request that was answered."""
        refused = isinstance(reply, Failure) and reply.errno == Errno.NOT_ALLOWED
        if not (acts or refused) or (refused and not self._is_worth_a_line(caller)):
            return
        details = _details(message.properties)
        match reply:
            case Failure(reason) if refused:
                outcome, line = "refused", f"refused: {_short(reason)}"
            case Failure(reason, number):
                outcome, line = "failed", f"failed with errno {int(number)}: {_short(reason)}"
            case _:
                reason, outcome, line = "", "ok", "ok"
        words = (f"{key}={_short(value)}" for key, value in details.items())
        request = " ".join((_short(message.command), *words))
        log.info("%s: %s: %s", _who(caller), request, line)
        self._emit(_event(caller, message.command, details, outcome, reason))

    def tell_turned_away(self, caller: Caller) -> None:
        """Tell of a caller who was not let in, or not where events are told."""
        if not self._is_worth_a_line(caller):
            return
        is_by_key = isinstance(caller.identity, KeyHolder)
        act = "connect" if is_by_key and not caller.rights.any else "events"
        remedy = "circusctl authorize" if is_by_key else "viewers in [circus]"
        reason = f"may not {'connect' if act == 'connect' else 'read'}; {remedy} lets them"
        log.info("%s: %s: refused: %s", _who(caller), act, reason)
        self._emit(_event(caller, act, {}, "refused", reason))

    def tell_cast_failed(self, caller: Caller, message: RequestMessage, failure: Failure) -> None:
        """Tell of a request that failed and whose sender wanted no reply."""
        if self._is_worth_a_line(caller):
            words = (_who(caller), _short(message.command), escaped(failure.reason))
            log.warning("%s: cast %s was refused: %s", *words)

    def _is_worth_a_line(self, caller: Caller) -> bool:
        identity = caller.identity
        # The same program may name any number of people.
        account = identity.program_name if isinstance(identity, SignedIn) else caller.name
        share = self._quota.take(account, self._clock.now())
        if share is Share.LAST:
            log.info("%s: further refusals are not told for a while", _who(caller))
        return share is Share.SHOWN


def _who(caller: Caller) -> str:
    match caller.identity:
        case SignedIn(_, program, name):
            return f"{caller.name} by {_who(Caller(program, name, caller.rights))}"
        case LocalUser(uid, None):
            return f"{caller.name} (uid {uid})"
        case LocalUser(uid, pid):
            return f"{caller.name} (uid {uid}, pid {pid})"
        case KeyHolder(key, address) if not caller.rights.any:
            return f"{caller.name} ({key} from {address})"
        case KeyHolder(_, address):
            return f"{caller.name} (from {address})"
        case _:
            return caller.name


def _event(
    caller: Caller, command: str, details: Mapping[str, Any], outcome: str, reason: str
) -> Event:
    name = command if command.isidentifier() and len(command) <= LONGEST_SHOWN else "unknown"
    facts: dict[str, Any] = {"command": name, "outcome": outcome, "who": caller.name}
    facts |= _origin(caller.identity)
    if reason:
        facts["reason"] = escaped(reason)
    watcher = str(details.get("name", ""))
    return CommandAudited(watcher, name, {**facts, "properties": dict(details)})


def _origin(identity: Identity) -> dict[str, Any]:
    match identity:
        case LocalUser(uid, pid):
            return {"uid": uid, "pid": pid}
        case KeyHolder(key, address):
            return {"key": key, "address": address}
        case SignedIn(person, program, name):
            signed_in = {"person": escaped(person.name), "role": person.role.value, "by": name}
            return signed_in | _origin(program)
        case _:
            return {}


def _details(properties: Mapping[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = {}
    for key in _TOLD:
        value = properties.get(key)
        if isinstance(value, str | int | float):
            details[key] = escaped(value) if isinstance(value, str) else value
    for key in _NAMED:
        names = properties.get(key)
        if isinstance(names, Mapping | list):
            details[key] = escaped(",".join(str(name) for name in islice(names, LONGEST_SHOWN)))
    return details


def _short(word: object) -> str:
    is_text = isinstance(word, str) and not word.isidentifier()
    return quoted(word) if is_text else escaped(word)
