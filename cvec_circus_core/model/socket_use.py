"""Which managed sockets a watcher uses, and how its processes get them.

    by number   cmd, args, shell_args or env say ``$(circus.sockets.NAME)``: the process has these
                sockets under the numbers that they have with the owner of processes
    in a row    ``sockets`` lists them, or ``use_sockets`` is on and none is named, which means all
                but the web console's: the process has them from descriptor 3 on, as systemd would
                give them (LISTEN_FDS). What is named besides follows after them
    as stdin    ``stdin_socket``, in either case

A process gets these and no others.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from cvec_circus_core.model.specs import WatcherSpec
from cvec_circus_core.model.values import Struct

_SOCKET = re.compile(
    r"\$\(circus\.sockets\.([\w.-]+)\)|\(\(circus\.sockets\.([\w.-]+)\)\)", re.IGNORECASE | re.ASCII
)


CONSOLE_SOCKET = "circushttpd"
"""Where the web console listens: for those alone who name it, as it comes with no section."""


class SocketUse(Struct, frozen=True):
    """The sockets of one watcher, by name."""

    numbered: tuple[str, ...] = ()
    """Named in texts."""
    listed: tuple[str, ...] = ()
    """Told of by LISTEN_FDS."""
    stdin: str | None = None

    @property
    def in_a_row(self) -> tuple[str, ...]:
        """The sockets that are moved to the numbers from 3 on, in order; none, or all."""
        if not self.listed:
            return ()
        return (*self.listed, *(name for name in self.numbered if name not in self.listed))

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, each once."""
        stdin = () if self.stdin is None else (self.stdin,)
        return tuple(dict.fromkeys((*self.listed, *self.numbered, *stdin)))


def sockets_in(text: str) -> Iterator[str]:
    """Yield the names of the sockets that a text has variables for."""
    if "circus.sockets." not in text.lower():
        return
    for reference in _SOCKET.finditer(text):
        yield (reference[1] or reference[2]).lower()


def socket_use(spec: WatcherSpec, known: Collection[str]) -> SocketUse:
    """Return what a watcher uses, where ``known`` are the managed sockets there are."""
    texts = (spec.cmd, *spec.args, *spec.shell_args, *spec.env.values())
    numbered = tuple(dict.fromkeys(name for text in texts for name in sockets_in(text)))
    names = tuple(dict.fromkeys(spec.sockets))
    if spec.use_sockets and not names and not numbered:
        names = tuple(name for name in known if name != CONSOLE_SOCKET)
    return SocketUse(numbered, names, spec.stdin_socket)
