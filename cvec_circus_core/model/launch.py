"""Everything that is needed to start one process, as plain data of the standard library.

A plan names the managed sockets that the process uses and knows no descriptor: the numbers are for
the owner of sockets and processes to fill in, at each spawn. Where a text of the command line or of
the environment holds such a number, the plan has `place_of` there. A null character can be in no
argument and no variable, so nothing that an operator writes reads like it.

Descriptors that are the caller's, pipes mostly, go beside the plan, as `Stdio`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from cvec_circus_core.model.capability_set import Capabilities


class Channel(Enum):
    """Where a standard stream of a child leads, when not to a descriptor."""

    INHERIT = "the daemon's own"
    NULL = "/dev/null"


class LaunchPlan(NamedTuple):
    """How to start one process.

    Names of users and groups are looked up at each spawn, so that an account made later is found.
    ``env`` is the whole environment. ``rlimits`` maps names without the RLIMIT_ prefix, in lower
    case, to the soft and hard limit; None is unlimited.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    executable: str | None = None
    working_dir: str | None = None
    uid: int | str | None = None
    gid: int | str | None = None
    umask: int | None = None
    rlimits: Mapping[str, int | None] = MappingProxyType({})
    no_new_privs: bool = False
    capabilities: Capabilities | None = None
    oom_score_adj: int | None = None
    death_signal: int | None = None
    """What the kernel sends the process when the thread that started it is gone (Linux)."""
    stdin: Channel = Channel.NULL
    stdout: Channel = Channel.INHERIT
    stderr: Channel = Channel.INHERIT
    stdin_socket: str | None = None
    """The managed socket that is its standard input."""
    numbered_sockets: tuple[str, ...] = ()
    """Managed sockets that the process keeps under the numbers that its owner has for them."""
    listen_sockets: tuple[str, ...] = ()
    """Managed sockets that it gets as 3, 4 and so on, and its own pid as LISTEN_PID."""
    account_env: tuple[str, ...] = ()
    """Variables that become those of the account that ``uid`` names: HOME, USER, LOGNAME, SHELL."""
    contain: bool = False
    """Keep all descendants findable, whatever they do, where the system can (Linux cgroups).

    Makes a spawn several times as dear; without it, and elsewhere, a descendant that detached
    itself before anybody looked and took its spawn tag off is not found.
    """

    @property
    def sockets(self) -> tuple[str, ...]:
        """All managed sockets that the process gets, each once."""
        if not self.listen_sockets and not self.numbered_sockets and self.stdin_socket is None:
            return ()
        stdin = () if self.stdin_socket is None else (self.stdin_socket,)
        return tuple(dict.fromkeys((*self.listen_sockets, *self.numbered_sockets, *stdin)))

    def with_numbers(self, numbers: Mapping[str, int]) -> LaunchPlan:
        """Return the plan with the numbers of its sockets in its texts."""
        if not self.numbered_sockets:
            return self
        places = {place_of(name): str(numbers[name]) for name in self.numbered_sockets}
        argv = tuple(_filled(word, places) for word in self.argv)
        env = {key: _filled(text, places) for key, text in self.env.items()}
        return self._replace(argv=argv, env=env)


def place_of(socket: str) -> str:
    """Return what stands in a text for the number of a managed socket."""
    return f"\0{socket}\0"


def _filled(text: str, places: Mapping[str, str]) -> str:
    if "\0" in text:
        for place, number in places.items():
            text = text.replace(place, number)
    return text


class Stdio(NamedTuple):
    """Open descriptors for the standard streams of a process, which stay the caller's.

    None: as the plan says.
    """

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None


AS_PLANNED = Stdio()


class Served(NamedTuple):
    """Where the managed sockets of a process listen for connections."""

    ports: frozenset[int] = frozenset()
    paths: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self.ports or self.paths)


NOWHERE = Served()
