"""How a client's socket is made: it drops what it can not deliver, and may go through ssh."""

from __future__ import annotations

from typing import Any

import zmq

from cvec_circus_core.model.errors import CallError


def connect(
    socket: zmq.Socket[Any], endpoint: str, ssh_server: str | None, ssh_keyfile: str | None
) -> None:
    """Connect a client's socket, closing it where that can not be.

    With IMMEDIATE, a request is taken only when somebody is there to get it. Otherwise a command
    whose call had long been given up would be carried out when the daemon comes back; and a client
    could not tell "nothing listens" from "no answer". Subscriptions may well be there early.
    """
    socket.linger = 0
    if socket.type == zmq.DEALER:
        socket.set(zmq.IMMEDIATE, 1)
    try:
        if ssh_server is None:
            socket.connect(endpoint)
        else:
            _tunnel(socket, endpoint, ssh_server, ssh_keyfile)
    except zmq.ZMQError as error:
        socket.close()
        raise CallError(f"can not connect to {endpoint!r}: {str(error).lower()}") from None
    except BaseException:
        socket.close()
        raise


def _tunnel(socket: Any, endpoint: str, server: str, keyfile: str | None) -> None:
    from zmq import ssh  # brings pexpect or paramiko, which nobody else should wait for

    try:
        ssh.tunnel_connection(socket, endpoint, server, keyfile)
    except (OSError, ImportError, RuntimeError, ValueError) as error:
        raise CallError(f"no tunnel through {server!r} to {endpoint!r}: {error}") from None
