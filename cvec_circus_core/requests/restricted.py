"""The daemon as a caller sees it who may not do everything.

Commands ask the `Supervisor` for what they need, so that is where limits hold, whatever a command
makes of its request, and for commands of other packages, too. A viewer finds all watchers and may
read; those whom a watcher lists may find that one and start, stop, renew, signal and, up to a bound
that the operator sets, resize it, but not set its options: a command line is as good as the user
that it runs as. Values of env, and what else sounds secret, are for those who may do everything.
Which verb asks for which right stands in `verbs.py`; here is what follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from cvec_circus_core.extend.ports import SocketsPort, Supervisor, Ticket, WatcherPort
from cvec_circus_core.model.access import Caller, KeyHolder, NotAllowed, NotForYou, SignedIn
from cvec_circus_core.model.errors import UnknownWatcher
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.requests.proxy import PortProxy, with_verbs_of
from cvec_circus_core.requests.verbs import (
    SOCKETS_PORT,
    SUPERVISOR_PORT,
    WATCHER_PORT,
    Right,
    Verb,
)


class Restrictions:
    """What one caller may in one request, and the sentences for all else."""

    __slots__ = ("acts", "caller", "command")

    def __init__(self, caller: Caller, command: str, *, acts: bool) -> None:
        self.caller = caller
        self.command = command
        self.acts = acts

    def may_see(self, spec: WatcherSpec) -> bool:
        """Tell whether a watcher is there at all, for this caller."""
        return self.caller.rights.reading or self.may_act_on(spec)

    def may_act_on(self, spec: WatcherSpec) -> bool:
        """Tell whether they may start and stop it."""
        return self.caller.rights.may_operate(spec.allow_users)

    def refusal_for(self, right: Right, watcher: WatcherSpec | None) -> NotAllowed | None:
        """Return why a verb that asks for a right is refused, or None where it is not."""
        match right:
            case Right.ADMITTED:
                return None
            case Right.READING:
                return None if self.caller.rights.reading else self.refusal()
            case Right.OPERATING if watcher is not None:
                allowed = self.acts and self.may_act_on(watcher)
                return None if allowed else self.refusal_of(watcher.name)
            case Right.SECRETS:
                return self.refusal_of_secrets()
            case _:
                return self.refusal()

    def refusal(self) -> NotAllowed:
        """Return the error for what is not open to the caller."""
        return self._refusal("", self._remedy("allow_users" if self.acts else "viewers"))

    def refusal_of_secrets(self) -> NotAllowed:
        """Return the error for what only those may who may do everything."""
        return self._refusal("", self._remedy("allow_users"))

    def refusal_of(self, watcher: str) -> NotAllowed:
        """Return the error for a watcher that the caller sees and may not touch."""
        remedy = f"allow_users in [watcher:{watcher}] or [circus]"
        if isinstance(self.caller.identity, KeyHolder):
            remedy = f"allow_users in [watcher:{watcher}] or {self._remedy('allow_users')}"
        elif isinstance(self.caller.identity, SignedIn):
            remedy = self._remedy("allow_users")
        return self._refusal(f" on {watcher}", remedy)

    def refusal_of_size(self, watcher: WatcherSpec) -> NotAllowed:
        """Return the error for more processes than such callers may ask for."""
        remedy = f"max_numprocesses in [watcher:{watcher.name}], now {watcher.max_numprocesses},"
        return self._refusal(f" for so many processes of {watcher.name}", remedy)

    def _refusal(self, target: str, remedy: str) -> NotAllowed:
        return NotAllowed(
            f"{self.caller.name} may not use {self.command!r}{target}; {remedy} lets them"
        )

    def _remedy(self, lists: str) -> str:
        if isinstance(self.caller.identity, KeyHolder):
            role = "viewer" if lists == "viewers" else "operator"
            return f"circusctl authorize --role {role}"
        if isinstance(self.caller.identity, SignedIn):
            return "the role operator" if lists == "allow_users" else "the role viewer"
        return f"{lists} in [circus]"


class _Restricted(PortProxy):
    """A port of which each verb is used or refused, as its row in the table says."""

    __slots__ = ("_limits",)

    def __init__(self, real: object, limits: Restrictions) -> None:
        super().__init__(real)
        self._limits = limits

    def _read(self, name: str, verb: Verb) -> object:
        self._check(verb.right)
        value = super()._read(name, verb)
        return value if verb.redact is None else verb.redact(value)

    def _call(
        self, name: str, verb: Verb, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> object:
        self._check(verb.right)
        result = super()._call(name, verb, args, kwargs)
        return result if verb.redact is None else verb.redact(result)

    def _check(self, right: Right) -> None:
        if right is not Right.ADMITTED:
            refusal = self._limits.refusal_for(right, self._watcher_spec())
            if refusal is not None:
                raise refusal

    def _watcher_spec(self) -> WatcherSpec | None:
        return None


@with_verbs_of(SOCKETS_PORT)
class _RestrictedSockets(_Restricted):
    __slots__ = ()


@with_verbs_of(WATCHER_PORT)
class _RestrictedWatcher(_Restricted):
    __slots__ = ()
    _real: WatcherPort

    def resize(self, count: int) -> Ticket:
        """Keep this many processes: no more than the operator lets such callers ask for."""
        self._check(WATCHER_PORT.verbs["resize"].right)
        spec = self._real.spec
        if count > max(spec.max_numprocesses, spec.numprocesses):
            raise self._limits.refusal_of_size(spec)
        return self._real.resize(count)

    def _watcher_spec(self) -> WatcherSpec:
        return self._real.spec


@with_verbs_of(SUPERVISOR_PORT)
class _RestrictedSupervisor(_Restricted):
    """The daemon, where finding a watcher depends on who asks."""

    __slots__ = ()
    _real: Supervisor

    @property
    def sockets(self) -> SocketsPort:
        """The managed sockets."""
        return cast(SocketsPort, _RestrictedSockets(self._real.sockets, self._limits))

    def watcher(self, name: str) -> WatcherPort:
        """Return the watcher of this name, if the caller may see it."""
        try:
            return self._limited(self._real.watcher(name))
        except UnknownWatcher:
            raise self._unknown(name) from None

    def watchers(self) -> Sequence[WatcherPort]:
        """Return all watchers that the caller may see."""
        visible = [
            watcher for watcher in self._real.watchers() if self._limits.may_see(watcher.spec)
        ]
        if not visible and not self._limits.caller.rights.reading:
            raise self._limits.refusal()
        return [self._wrapped(watcher) for watcher in visible]

    def matching(self, pattern: str, match: str) -> Sequence[WatcherPort]:
        """Return the watchers that a pattern means; none, if any of them is not the caller's."""
        try:
            return [self._limited(watcher) for watcher in self._real.matching(pattern, match)]
        except UnknownWatcher:
            raise self._unknown(pattern) from None

    def _unknown(self, name: str) -> UnknownWatcher:
        """Return the error for a watcher that is not there for the caller.

        Who may not read does not learn whether it is there at all.
        """
        if self._limits.caller.rights.reading:
            return UnknownWatcher(name)
        return NotForYou(name, self._limits.refusal())

    def _limited(self, watcher: WatcherPort) -> WatcherPort:
        spec = watcher.spec
        if not self._limits.may_see(spec):
            raise self._unknown(watcher.name)
        if self._limits.acts and not self._limits.may_act_on(spec):
            raise self._limits.refusal_of(watcher.name)
        return self._wrapped(watcher)

    def _wrapped(self, watcher: WatcherPort) -> WatcherPort:
        return cast(WatcherPort, _RestrictedWatcher(watcher, self._limits))


def restricted(supervisor: Supervisor, restrictions: Restrictions) -> Supervisor:
    """Return the daemon as a caller with limits may use it."""
    # The table has a row for each member of the Protocol; a test compares the two.
    return cast(Supervisor, _RestrictedSupervisor(supervisor, restrictions))
