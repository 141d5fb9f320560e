"""Everything that is needed to open one managed socket, as plain data of the standard library."""

from __future__ import annotations

from typing import NamedTuple


class BindPlan(NamedTuple):
    """Where a managed socket listens, and how; the fields mean what the options of that name do."""

    name: str
    host: str = "localhost"
    port: int = 8080
    path: str | None = None
    family: str = "AF_INET"
    type: str = "SOCK_STREAM"
    proto: str | None = None
    backlog: int = 2048
    interface: str | None = None
    umask: int = 0o010
    mode: int | None = None
    owner: str | int | None = None
    group: str | int | None = None
    replace: bool = False
    so_reuseport: bool = False
    blocking: bool = False

    @property
    def is_unix(self) -> bool:
        """Tell whether it is a file; a path makes it one whatever the family says."""
        return self.path is not None or self.family == "AF_UNIX"


class OpenSocket(NamedTuple):
    """A managed socket that is open: what was taken, not what was asked for."""

    name: str
    number: int
    """The descriptor with the owner of the sockets, by which the owner knows it."""
    host: str
    port: int
    path: str | None
    backlog: int
    listens: bool
    """Whether its type is one that has connections."""

    @property
    def location(self) -> str:
        """Where it is: HOST:PORT, or the path in quotes."""
        return f"{self.host}:{self.port}" if self.path is None else repr(self.path)
