"""How a client's socket is made: it drops what it can not deliver, and may go through ssh."""

from __future__ import annotations

from typing import Any

import zmq

from cvec_circus_core.model.errors import CallError, NoAnswer, NothingListens

PROBE_SECONDS = 0.5


def connect(
    socket: zmq.Socket[Any], endpoint: str, ssh_server: str | None, ssh_keyfile: str | None
) -> None:
    """Connect a client's socket, closing it where that can not be.

    With IMMEDIATE, a request is taken only when somebody is there to get it. Otherwise a command
    whose call had long been given up would be carried out when the daemon comes back; and a client
    could not tell "nothing listens" from "no answer". Subscriptions may well be there early.
    """
    socket.linger = 0
    if "[" in endpoint:
        socket.set(zmq.IPV6, 1)
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


def is_open(endpoint: str) -> bool:
    """Tell whether somebody takes connections at an endpoint, whatever is spoken there."""
    from socket import AF_UNIX, create_connection, socket  # only needed when all else has failed

    transport, _, address = endpoint.partition("://")
    try:
        if transport == "ipc":
            with socket(AF_UNIX) as probe:
                probe.settimeout(PROBE_SECONDS)
                probe.connect(address)
        else:
            host, _, port = address.rpartition(":")
            create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def unreachable(endpoint: str, seconds: float, *, through_ssh: bool) -> CallError:
    """Return the error for an endpoint with which no conversation could begin."""
    if not through_ssh and is_open(endpoint):
        return NoAnswer(endpoint, seconds)
    return NothingListens(endpoint, seconds)


def _tunnel(socket: Any, endpoint: str, server: str, keyfile: str | None) -> None:
    if not endpoint.startswith("tcp://"):
        raise CallError(f"ssh leads to tcp endpoints only, not to {endpoint!r}")
    from zmq import ssh  # brings pexpect or paramiko, which nobody else should wait for

    try:
        ssh.tunnel_connection(socket, endpoint, server, keyfile)
    except ImportError:
        raise CallError("a way through ssh needs the package pexpect or paramiko") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise CallError(f"no tunnel through {server!r} to {endpoint!r}: {error}") from None
