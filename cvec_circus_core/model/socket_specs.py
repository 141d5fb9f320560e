"""What the operator wants beside watchers: managed sockets, and plugins in their own processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvec_circus_core.model.kinds import (
    ACCOUNT,
    BOOLEAN,
    INTEGER,
    OCTAL,
    TEXT,
    between,
    one_of,
    or_none as _or_none,
)
from cvec_circus_core.model.options import Needs, Spec, option
from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import field

_FAMILY = one_of("AF_INET", "AF_INET6", "AF_UNIX")
_TYPE = one_of("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RDM", "SOCK_SEQPACKET")
_BACKLOG = between(INTEGER, 0, 2**31 - 1)
_PORT = between(INTEGER, 0, 65535)
_OPTIONAL_TEXT = _or_none(TEXT)
_OPTIONAL_BOOLEAN = _or_none(BOOLEAN)
_OPTIONAL_ACCOUNT = _or_none(ACCOUNT)
_NEW = Needs.NEW_PROCESSES


class SocketSpec(Spec, frozen=True, kw_only=True):
    """One managed socket: where it listens, and how."""

    name: str
    """In lower case."""
    host: str = option("localhost", TEXT, "address or name to listen at", changing=_NEW)
    port: int = option(8080, _PORT, "port to listen at; 0 for any free one", changing=_NEW)
    path: str | None = option(
        None, _OPTIONAL_TEXT, "file of a Unix socket, instead of host and port", changing=_NEW
    )
    family: str = option("AF_INET", _FAMILY, "family of addresses", changing=_NEW)
    type: str = option("SOCK_STREAM", _TYPE, "type of socket", changing=_NEW)
    proto: str | None = option(
        None, _OPTIONAL_TEXT, "name of the protocol, such as tcp", changing=_NEW
    )
    backlog: int = option(2048, _BACKLOG, "connections that may wait to be accepted", changing=_NEW)
    interface: str | None = option(None, _OPTIONAL_TEXT, "network device to bind to", changing=_NEW)
    umask: int = option(0o010, OCTAL, "umask while the Unix socket's file is made", changing=_NEW)
    mode: int | None = option(
        None, _or_none(OCTAL), "mode of the Unix socket's file, instead of umask", changing=_NEW
    )
    owner: str | int | None = option(
        None, _OPTIONAL_ACCOUNT, "user who owns the Unix socket's file", changing=_NEW
    )
    group: str | int | None = option(
        None, _OPTIONAL_ACCOUNT, "group of the Unix socket's file", changing=_NEW
    )
    replace: bool = option(
        False, BOOLEAN, "remove a file that is in the way of a Unix socket", changing=_NEW
    )
    so_reuseport: bool = option(
        False, BOOLEAN, "bind one socket per process with SO_REUSEPORT", changing=_NEW
    )
    blocking: bool = option(False, BOOLEAN, "accept waits for a connection", changing=_NEW)
    use_papa: bool = option(False, BOOLEAN, "taken from older files", inert=True)

    @property
    def is_unix(self) -> bool:
        """Tell whether it is a file; a path makes it one whatever the family says."""
        return self.path is not None or self.family == "AF_UNIX"


PLUGIN_STOP_GRACE = 2.0
"""Seconds that a plugin has to stop, unless its section says otherwise: the daemon's end must not
depend on what somebody else wrote."""

PLUGIN_SETTINGS = "CVEC_CIRCUS_PLUGIN"
"""Name of the variable by which a plugin's process gets its options. They may be passwords: it is
not shown among the variables of the watcher, and stays when these are set."""


ANY_PLUGIN = "plugin"
"""The runner that can run any plugin, given its ``use``."""


class PluginSpec(Spec, frozen=True, kw_only=True):
    """One plugin: its class, what the class is given, and the watcher that keeps its process."""

    name: str
    use: str = option("", TEXT, "dotted or short name of the plugin's class")
    active: bool = option(True, BOOLEAN, "run it; a plugin that is not active is not started")
    isolate: bool | None = option(
        None, _OPTIONAL_BOOLEAN, "a process of its own; if not, a thread of the daemon"
    )
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the class's constructor gets; from a file, all texts."""
    watcher: WatcherSpec
    """Its watcher, named ``plugin:NAME``, whose command is for the plugin's host to fill in."""
    runner: str = ANY_PLUGIN
    """The entry point of ``cvec_circus.runners`` that is its program in a process of its own."""
    sockets: tuple[SocketSpec, ...] = ()
    """Managed sockets that come with it, for a program of its own that takes LISTEN_FDS. One that
    the configuration has, too, is the configuration's; without one that can not be bound when the
    daemon starts, both start all the same."""
