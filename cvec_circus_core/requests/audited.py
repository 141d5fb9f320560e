"""The daemon as those see it who may do everything and send no request: what they do is audited.

Unix signals, the hooks of watchers and the program that embeds the library come in by the same port
as commands, and leave the same line and event behind as the command that does the same. An event
that they announce is its own record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from cvec_circus_core.extend.ports import SocketsPort, Supervisor, WatcherPort
from cvec_circus_core.model.access import Anybody, Caller, Rights
from cvec_circus_core.model.errors import CircusError
from cvec_circus_core.model.messages import Failure, Reply, RequestMessage, Success
from cvec_circus_core.requests.audit import Audit
from cvec_circus_core.requests.verbs import SOCKETS_PORT, SUPERVISOR_PORT, WATCHER_PORT, Port

_ITS_OWN_RECORD = frozenset({"announce"})
_SUCCESS = Success({})
_OF_A_SIGNAL = ("pid", "wid", "childpid")


def insider(name: str) -> Caller:
    """Return a caller within the daemon's own process, who may do everything."""
    return Caller(Anybody("inside the process"), name, Rights(everything=True, reading=True))


class _Audited:
    """A port whose verbs are audited where they change anything."""

    __slots__ = ("_audit", "_caller", "_port", "_real")

    def __init__(self, real: object, port: Port, caller: Caller, audit: Audit) -> None:
        self._real = real
        self._port = port
        self._caller = caller
        self._audit = audit

    def __getattr__(self, name: str) -> object:
        member = getattr(self._real, name)
        verb = self._port.verbs.get(name)
        if verb is None or not verb.command or verb.command in _ITS_OWN_RECORD:
            return member
        return self._recorded(verb.command, self._port.parameters[name], member)

    def _recorded(
        self, command: str, parameters: Sequence[str], method: Callable[..., object]
    ) -> Callable[..., object]:
        def act(*args: object, **kwargs: object) -> object:
            details = {**self._target(), **dict(zip(parameters, args, strict=False)), **kwargs}
            try:
                result = method(*args, **kwargs)
            except CircusError as error:
                self._record(command, details, Failure(error.reason, error.errno))
                raise
            self._record(command, details, _SUCCESS)
            return result

        return act

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


class _AuditedWatcher(_Audited):
    __slots__ = ()
    _real: WatcherPort

    def _target(self) -> Mapping[str, object]:
        return {"name": self._real.name}


class _AuditedSupervisor(_Audited):
    __slots__ = ()
    _real: Supervisor

    @property
    def sockets(self) -> SocketsPort:
        """The managed sockets."""
        audited = _Audited(self._real.sockets, SOCKETS_PORT, self._caller, self._audit)
        return cast(SocketsPort, audited)

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
    return cast(Supervisor, _AuditedSupervisor(supervisor, SUPERVISOR_PORT, caller, audit))


def audited_watcher(watcher: WatcherPort, caller: Caller, audit: Audit) -> WatcherPort:
    """Return one watcher as a caller within this process acts on it."""
    return cast(WatcherPort, _AuditedWatcher(watcher, WATCHER_PORT, caller, audit))
