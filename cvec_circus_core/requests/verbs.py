"""Every verb of the supervisor surface, and the right that it asks for: the one table.

The verbs themselves are declared in `extend/ports.py`. What stands in no row is closed to everybody
but those who may do everything, and a test holds the table and the Protocols together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto
from inspect import signature
from typing import Any

from cvec_circus_core.extend.ports import SocketsPort, Supervisor, WatcherPort
from cvec_circus_core.model.values import Struct
from cvec_circus_core.requests.redaction import spec_without_secrets, without_secrets


class Right(Enum):
    """What a caller has to be, for one verb."""

    ADMITTED = auto()
    """Anybody whose request was admitted; of a watcher, anybody who may see that one."""
    READING = auto()
    """Those who may read."""
    OPERATING = auto()
    """Those whom the watcher lists, in a command that acts."""
    EVERYTHING = auto()
    """Those who may do everything."""
    SECRETS = auto()
    """The same, because it tells or takes what may be a secret."""


class Verb(Struct, frozen=True):
    """One row."""

    right: Right
    command: str = ""
    """What changes something is audited: under the name of the command that does the same."""
    redact: Callable[[Any], object] | None = None
    """What is taken out of the answer, for those with limits."""


_READ, _OPEN = Verb(Right.READING), Verb(Right.ADMITTED)

WATCHER: Mapping[str, Verb] = {
    "name": _OPEN,
    "spec": Verb(Right.ADMITTED, redact=spec_without_secrets),
    "options": Verb(Right.ADMITTED, redact=without_secrets),
    "view": _OPEN,
    "recent": _OPEN,
    "recent_lines": _OPEN,
    "extended_stats": _OPEN,
    "environment": Verb(Right.SECRETS),
    "change": Verb(Right.SECRETS, "set"),
    "start": Verb(Right.OPERATING, "start"),
    "stop": Verb(Right.OPERATING, "stop"),
    "restart": Verb(Right.OPERATING, "restart"),
    "reload": Verb(Right.OPERATING, "reload"),
    "resize": Verb(Right.OPERATING, "numprocesses"),
    "kill": Verb(Right.OPERATING, "kill"),
    "signal": Verb(Right.OPERATING, "signal"),
    "reopen": Verb(Right.OPERATING, "reopen"),
    "announce": Verb(Right.OPERATING, "announce"),
}

SOCKETS: Mapping[str, Verb] = {
    "views": _READ,
    "add": Verb(Right.EVERYTHING, "addsocket"),
    "remove": Verb(Right.EVERYTHING, "rmsocket"),
}

SUPERVISOR: Mapping[str, Verb] = {
    "spec": _READ,
    "pid": _OPEN,
    "changes": _OPEN,
    "sockets": _OPEN,
    "watcher": _OPEN,
    "watchers": _OPEN,
    "matching": _OPEN,
    "plugins": _READ,
    "option_of_watchers": _OPEN,
    "process_info": _OPEN,
    "extra_stats": _OPEN,
    "own_info": _READ,
    "daemon_facts": _READ,
    "upgrade": Verb(Right.EVERYTHING, "upgrade"),
    "read_config": Verb(Right.SECRETS),
    "plan_config": Verb(Right.SECRETS),
    "runtime_changes": Verb(Right.SECRETS),
    "save_config": Verb(Right.EVERYTHING, "save"),
    "add": Verb(Right.EVERYTHING, "add"),
    "remove": Verb(Right.EVERYTHING, "rm"),
    "start_all": Verb(Right.EVERYTHING, "start"),
    "stop_all": Verb(Right.EVERYTHING, "stop"),
    "restart_all": Verb(Right.EVERYTHING, "restart"),
    "reload_all": Verb(Right.EVERYTHING, "reload"),
    "reopen_all": Verb(Right.EVERYTHING, "reopen"),
    "reload_config": Verb(Right.EVERYTHING, "reloadconfig"),
    "quit": Verb(Right.EVERYTHING, "quit"),
}


class Port(Struct, frozen=True):
    """One of the Protocols with its rows."""

    verbs: Mapping[str, Verb]
    attributes: frozenset[str]
    """The names that are read and not called."""
    parameters: Mapping[str, tuple[str, ...]]
    """What the others take."""


def _port(protocol: type, verbs: Mapping[str, Verb]) -> Port:
    members = {name: getattr(protocol, name) for name in verbs}
    methods = {name: member for name, member in members.items() if callable(member)}
    parameters = {name: tuple(signature(method).parameters)[1:] for name, method in methods.items()}
    return Port(verbs, frozenset(members.keys() - methods.keys()), parameters)


WATCHER_PORT = _port(WatcherPort, WATCHER)
SOCKETS_PORT = _port(SocketsPort, SOCKETS)
SUPERVISOR_PORT = _port(Supervisor, SUPERVISOR)
