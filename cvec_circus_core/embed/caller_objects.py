"""What a program has made itself and the engine uses: its sockets, and its own way to stop."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from copy import copy
from typing import Any

from cvec_circus_core.extend.command import Command
from cvec_circus_core.extend.ports import Supervisor
from cvec_circus_core.model.views import SocketView
from cvec_circus_core.system.net.sockets import CircusSocket


def show_bound(sockets: Iterable[CircusSocket], views: Iterable[SocketView]) -> None:
    """Let the program's own socket objects be the ones that were bound.

    The engine binds sockets of its own. Each object gets the descriptor of the one that it stands
    for, so that its address is the real one.
    """
    bound = {view.name: view for view in views}
    for socket in sockets:
        view = bound.get(socket.name)
        if view is None:
            continue
        os.dup2(view.fd, socket.fileno(), inheritable=False)
        if view.port is not None:
            socket.host, socket.port = view.host or socket.host, view.port


def through(command: Command, stop: Callable[[], object]) -> Command:
    """Return the command that ends the daemon, made to call a program's own ``stop`` for that."""

    async def execute(supervisor: Supervisor, request: Any) -> dict[str, Any]:
        stopped = stop()
        if request.waiting and isinstance(stopped, Awaitable):
            await stopped
        return {}

    own: Any = copy(command)
    own.execute = execute
    quitting: Command = own
    return quitting
