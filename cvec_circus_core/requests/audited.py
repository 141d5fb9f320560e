"""The daemon as those see it who may do everything and send no request: what they do is audited.

Unix signals, the hooks of watchers and the program that embeds the library come in by the same port
as commands, and leave the same line and event behind as the command that does the same. An event
that they announce is its own record.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, cast

from cvec_circus_core.extend.ports import SocketsPort, Supervisor, WatcherPort
from cvec_circus_core.model.access import Anybody, Caller, Rights
from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.requests.proxy import PortProxy, with_verbs_of
from cvec_circus_core.requests.verbs import SOCKETS_PORT, SUPERVISOR_PORT, WATCHER_PORT, Verb

_ITS_OWN_RECORD = frozenset({"announce"})
_SUCCESS = Success({})
_OF_A_SIGNAL = ("pid", "wid", "childpid")


def insider(name: str) -> Caller:
    """Return a caller within the daemon's own process, who may do everything."""
    return Caller(Anybody("inside the process"), name, Rights(everything=True, reading=True))


class _Audited(PortProxy):
    """A port whose verbs are audited where they change anything."""

    __slots__ = ("_audit", "_caller")

    def __init__(self, real: object, caller: Caller, audit: Audit) -> None:
        super().__init__(real)
        self._caller = caller
        self._audit = audit

    def _call(
        self, name: str, verb: Verb, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> object:
        if not verb.command or verb.command in _ITS_OWN_RECORD:
            return super()._call(name, verb, args, kwargs)
        named = zip(self.port.parameters[name], args, strict=False)
        details = {**self._target(), **dict(named), **kwargs}
        details.pop("reading", None)  # the whole configuration, with its secrets
        try:
            result = super()._call(name, verb, args, kwargs)
        except CircusError as error:
            self._record(verb.command, details, Failure(error.reason, error.errno))
            raise
        if isinstance(result, Coroutine):
            return self._recorded(result, verb.command, details)
        self._record(verb.command, details, _SUCCESS)
        return result

    async def _recorded(
        self, work: Coroutine[Any, Any, object], command: str, details: Mapping[str, Any]
    ) -> object:
        try:
            result = await work
        except CircusError as error:
            self._record(command, details, Failure(error.reason, error.errno))
            raise
        self._record(command, details, _SUCCESS)
        return result

    def _target(self) -> Mapping[str, object]:
        return {}

    def _record(self, command: str, details: Mapping[str, Any], reply: Reply) -> None:
        message = RequestMessage(command, _flat(details))
        self._audit.tell(self._caller, message, reply, acts=True)


def _flat(details: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a request would say: the processes that a signal goes to stand beside it."""
    selection = details.get("selection")
    if selection is None:
        return details
    chosen = {name: getattr(selection, name) for name in _OF_A_SIGNAL}
    return {**details, **{name: value for name, value in chosen.items() if value is not None}}


@with_verbs_of(SOCKETS_PORT)
class _AuditedSockets(_Audited):
    __slots__ = ()


@with_verbs_of(WATCHER_PORT)
class _AuditedWatcher(_Audited):
    __slots__ = ()
    _real: WatcherPort

    def _target(self) -> Mapping[str, object]:
        return {"name": self._real.name}


@with_verbs_of(SUPERVISOR_PORT)
class _AuditedSupervisor(_Audited):
    __slots__ = ()
    _real: Supervisor

    @property
    def sockets(self) -> SocketsPort:
        """The managed sockets."""
        return cast(SocketsPort, _AuditedSockets(self._real.sockets, self._caller, self._audit))

    def watcher(self, name: str) -> WatcherPort:
        """Return the watcher of this name. Raises `UnknownWatcher`."""
        return audited_watcher(self._real.watcher(name), self._caller, self._audit)

    def watchers(self) -> Sequence[WatcherPort]:
        """Return all watchers, sorted by name."""
        return self._wrapped(self._real.watchers())

    def matching(self, pattern: str, match: str) -> Sequence[WatcherPort]:
        """Return the watchers that a pattern means, highest priority first."""
        return self._wrapped(self._real.matching(pattern, match))

    def _wrapped(self, watchers: Sequence[WatcherPort]) -> Sequence[WatcherPort]:
        return [audited_watcher(watcher, self._caller, self._audit) for watcher in watchers]


def audited(supervisor: Supervisor, caller: Caller, audit: Audit) -> Supervisor:
    """Return the daemon as a caller within this process acts on it."""
    return cast(Supervisor, _AuditedSupervisor(supervisor, caller, audit))


def audited_watcher(watcher: WatcherPort, caller: Caller, audit: Audit) -> WatcherPort:
    """Return one watcher as a caller within this process acts on it."""
    return cast(WatcherPort, _AuditedWatcher(watcher, caller, audit))
