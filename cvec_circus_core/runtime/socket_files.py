"""The files of managed sockets that were taken away are made again, and their users renewed.

A Unix socket has its name once: where that is gone, only a new socket can have it. So the processes
of its watchers are replaced, as for a socket that has changed; until they are, the old ones serve
those who had come before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from cvec_circus_core.model.values import Struct
from cvec_circus_core.runtime.managed_sockets import ManagedSockets


class ManagedSocketFile(Struct, frozen=True):
    """The file of one managed socket."""

    name: str
    path: str
    sockets: ManagedSockets
    renew_users: Callable[[str], None]

    @property
    def endpoint(self) -> str:
        """Where it is."""
        return f"ipc://{self.path}"

    def mend(self) -> bool:
        """Make it again if it is gone, and tell so. Raises `CannotBind`."""
        if os.path.lexists(self.path):
            return False
        self.sockets.reopen(self.name)
        self.renew_users(self.name)
        return True


def socket_files(
    sockets: ManagedSockets, renew_users: Callable[[str], None]
) -> Iterator[ManagedSocketFile]:
    """Yield the file of each managed socket that has one."""
    for name, path in sockets.files().items():
        yield ManagedSocketFile(name, path, sockets, renew_users)
