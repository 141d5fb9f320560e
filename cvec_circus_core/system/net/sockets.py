"""Managed sockets: made, bound and listened at here, used by anyone who gets the descriptor.

A `CircusSocket` is a standard socket that knows its name and where it belongs, and works without
the rest of the project. It is not inheritable: anyone who starts a process says which descriptors
that process keeps. SO_REUSEADDR is set where it means "the port of a server that has just ended",
which is not so for datagrams: there it would let two programs share a port and steal from each
other.

A Unix socket's file is remembered by its inode, so that `close` removes the file that was made here
and never one that somebody else has put in its place.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Self

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.system.net.bind import (
    Refusal,
    SocketFile,
    bind_file,
    file_at,
    make_file_free,
    mode_of,
    own_file,
    refusals,
    remove_file,
    resolved,
    set_up,
)
from cvec_circus_core.system.remote_mounts import is_remote
from cvec_circus_core.system.whole_files import bounded

Spelled = int | str
"""A number, or the name that the socket module has for it."""
Account = int | str | None

_DEFAULTS = BindPlan(name="")
_ANSWERS = 1.0
"""Seconds that the server of a path may take to answer; the loop waits."""
_LISTENING = ("SOCK_STREAM", "SOCK_SEQPACKET")


class CircusSocket(socket.socket):
    """A socket with a name.

    Raises ValueError for an option that can not be used, and `CannotBind`, with one sentence, where
    the system says no.
    """

    def __init__(
        self,
        name: str = "",
        host: str = "localhost",
        port: int = 8080,
        family: Spelled = socket.AF_INET,
        type: Spelled = socket.SOCK_STREAM,
        proto: Spelled = 0,
        backlog: int = 2048,
        path: str | None = None,
        umask: int | None = None,
        replace: bool = False,
        interface: str | None = None,
        so_reuseport: bool = False,
        blocking: bool = False,
        *,
        mode: int | None = None,
        owner: Account = None,
        group: Account = None,
    ) -> None:
        plan = BindPlan(
            name=name.lower(),
            host=host,
            port=port,
            family="AF_UNIX" if path is not None else _word(family, socket.AddressFamily),
            type=_word(type, socket.SocketKind),
            proto=str(proto) if proto else None,
            backlog=backlog,
            path=path,
            umask=_DEFAULTS.umask if umask is None else umask,
            replace=replace,
            interface=interface,
            so_reuseport=so_reuseport,
            blocking=blocking,
            mode=mode,
            owner=owner,
            group=group,
        )
        for key in ("family", "type", "port", "backlog"):
            _check(key, getattr(plan, key))
        self._take(plan)

    @classmethod
    def of(cls, plan: BindPlan) -> Self:
        """Make the socket that a plan describes; it is not bound yet."""
        unbound = cls.__new__(cls)
        unbound._take(plan)
        return unbound

    @classmethod
    def inherited(cls, plan: BindPlan, opened: OpenSocket) -> Self:
        """Return the socket that another process has opened by a plan; it is ours now."""
        inherited = cls.__new__(cls)
        socket.socket.__init__(inherited, fileno=opened.number)
        inherited.set_inheritable(False)
        inherited.plan, inherited.name, inherited.backlog = plan, opened.name, opened.backlog
        inherited.host, inherited.port, inherited.path = opened.host, opened.port, opened.path
        inherited._file = None if inherited.path is None else file_at(inherited.path)
        inherited._maker = os.getpid()
        return inherited

    @classmethod
    def load_from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make a socket from options as a configuration file has them, ``name`` among them.

        Raises ValueError for an option that can not be read.
        """
        values = {key: _check(key, value) for key, value in config.items() if key != "name"}
        options = {key: value for key, value in values.items() if hasattr(_DEFAULTS, key)}
        return cls.of(BindPlan(name=str(config.get("name", "")).lower(), **options))

    def _take(self, plan: BindPlan) -> None:
        self.plan = plan
        self.name, self.backlog = plan.name, plan.backlog
        self.host, self.port = plan.host, plan.port
        self.path = None if plan.path is None else os.path.abspath(plan.path)
        self._file: SocketFile | None = None
        self._maker = os.getpid()
        with refusals(plan):
            family = socket.AF_UNIX if plan.is_unix else getattr(socket, plan.family)
            super().__init__(family, getattr(socket, plan.type), _protocol(plan.proto))
        try:
            with refusals(plan):
                set_up(self, plan)
        except CannotBind:
            super().close()
            raise

    @property
    def location(self) -> str:
        """Where it is: HOST:PORT, or the path in quotes."""
        return f"{self.host}:{self.port}" if self.path is None else repr(self.path)

    @property
    def listens(self) -> bool:
        """Whether its type is one that has connections."""
        return self.plan.type in _LISTENING

    def bind_and_listen(self) -> None:
        """Bind it and, where it has connections, let them come."""
        self.bind_only()
        if self.listens:
            with refusals(self.plan, self.location):
                self.listen(self.backlog)

    def bind_only(self) -> None:
        """Bind it. The port of a socket for any free one is known from here on."""
        plan = self.plan
        if self.path is not None:
            with refusals(plan, self.path):
                if is_remote(self.path):
                    bounded(partial(os.path.exists, self.path), _ANSWERS)
                make_file_free(self.path, replace=plan.replace)
                self._file = bind_file(self, plan, self.path)
            return
        with refusals(plan, self.location):
            self.bind(resolved(plan))
        # What is shown is what was taken, not what was asked for.
        self.host, self.port = self.getsockname()[:2]

    def bind_aside(self) -> None:
        """Listen under another name until `take_place`: the file of this name is in use."""
        assert self.path is not None
        aside = f"{self.path}.{os.getpid()}"
        with refusals(self.plan, self.path):
            make_file_free(aside, replace=True)
            self._file = bind_file(self, self.plan, aside)
            if self.listens:
                self.listen(self.backlog)

    def take_place(self) -> None:
        """Take the place of the file of this name at once: nobody finds it missing meanwhile."""
        if self._file is not None and self.path is not None and self._file.path != self.path:
            with refusals(self.plan, self.path):
                os.rename(self._file.path, self.path)
            self._file = self._file._replace(path=self.path)

    def adjust(self, plan: BindPlan) -> None:
        """Take what another plan says of the queue and the file; the address stays."""
        with refusals(self.plan, self.location):
            if self._file is not None:
                own_file(self._file.path, plan, mode_of(plan))
            if plan.backlog != self.backlog and self.listens and not plan.so_reuseport:
                self.listen(plan.backlog)
        self.plan, self.backlog = plan, plan.backlog

    def close(self) -> None:
        """Close it, and remove the file that it made; a forked child leaves the file alone."""
        if self._file is not None and os.getpid() == self._maker:
            remove_file(self._file)
        self._file = None
        super().close()

    def dup(self) -> socket.socket:  # type: ignore[override]
        """Return a plain socket of the same descriptor: it has no file to remove."""
        return socket.socket(fileno=os.dup(self.fileno()))

    def __repr__(self) -> str:
        return f"<CircusSocket {self.name!r} at {self.location}, descriptor {self.fileno()}>"


class CircusSockets(dict[str, CircusSocket]):
    """Sockets by name."""

    def __init__(
        self, sockets: Iterable[Mapping[str, Any]] | None = None, backlog: int = 2048
    ) -> None:
        super().__init__()
        self.backlog = backlog
        for options in sockets or ():
            self.add(**{"backlog": backlog, **options})

    def add(self, name: str, host: str = "localhost", port: int = 8080, **how: Any) -> CircusSocket:
        """Make a socket and keep it; it takes what `CircusSocket` takes."""
        how.setdefault("backlog", self.backlog)
        added = self[name] = CircusSocket(name, host, port, **how)
        return added

    def bind_and_listen_all(self) -> None:
        """Bind all but those of which every process gets one of its own.

        Raises `CannotBind` with everything that went wrong; the others are bound.
        """
        problems = []
        for each in self.values():
            if each.plan.so_reuseport:
                continue
            try:
                each.bind_and_listen()
            except CannotBind as error:
                problems.append(str(error))
        if problems:
            raise CannotBind("; ".join(problems))

    def close_all(self) -> None:
        """Close all."""
        for each in self.values():
            each.close()


def _check(key: str, value: Any) -> Any:
    """Return the value of an option, given as text or as what it is. Raises ValueError."""
    # Only a library's caller gives options like this; the keeper has no need of all specs.
    from cvec_circus_core.model.options import declared_options
    from cvec_circus_core.model.socket_specs import SocketSpec

    declared = declared_options(SocketSpec)
    if key not in declared:
        raise ValueError(f"a socket has no option {key!r}")
    kind = declared[key].kind
    try:
        return kind.parse(value) if isinstance(value, str) else kind.check(value)
    except ValueError as error:
        raise ValueError(f"{key} = {value!r} isn't {error}") from None


def _word(spelled: Spelled, names: type[socket.AddressFamily] | type[socket.SocketKind]) -> str:
    if isinstance(spelled, str):
        return spelled.strip().upper()
    try:
        return names(spelled).name
    except ValueError:
        raise CannotBind(f"there is no {names.__name__} of number {spelled}") from None


def _protocol(name: str | None) -> int:
    if name is None:
        return 0
    if name.strip().isdecimal():
        return int(name)
    try:
        return socket.getprotobyname(name)
    except OSError:
        raise Refusal(f"there is no protocol named {name!r}") from None
