"""Binding a ZeroMQ socket, with every refusal told in one sentence."""

from __future__ import annotations

import errno
import socket
from typing import Any

import zmq

from cvec_circus_core.model.errors import CannotBind

_REASONS = {
    errno.EADDRINUSE: "is in use already; is another daemon running there?",
    errno.EADDRNOTAVAIL: "is no address of this machine",
    errno.ENODEV: "is no address of this machine",
    errno.EACCES: "may not be bound by this user",
    errno.ENOENT: "is in a folder that does not exist",
    errno.EPROTONOSUPPORT: "names a transport that is not known; use tcp:// or ipc://",
    errno.EINVAL: "is not an address; use tcp://HOST:PORT or ipc://PATH",
    errno.ENAMETOOLONG: "is longer than a Unix socket's path may be",
}


def bind(bound: zmq.Socket[Any], endpoint: str, key: str) -> str:
    """Bind a socket and return the endpoint that it got (port 0 takes a free one).

    ``key`` names the option in messages. Raises `CannotBind`.
    """
    if endpoint.startswith("ipc://") and _somebody_listens(endpoint.removeprefix("ipc://")):
        # libzmq would take the file away from the daemon that listens there.
        raise CannotBind(f"{key} {endpoint} {_REASONS[errno.EADDRINUSE]}")
    if "[" in endpoint:
        # Only where an IPv6 address is written: with it, IPv4 ones would be told as mapped.
        bound.setsockopt(zmq.IPV6, 1)
    try:
        bound.bind(endpoint)
    except zmq.ZMQError as error:
        reason = _REASONS.get(error.errno or 0, f"can not be bound: {error.strerror}")
        raise CannotBind(f"{key} {endpoint} {reason}") from None
    return bound.getsockopt_string(zmq.LAST_ENDPOINT)


def _somebody_listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
