"""Binding a ZeroMQ socket, with every refusal told in one sentence.

What other machines can reach is bound to speak CURVE, so that only those come in who show a key.
Without a key of the daemon's it is not bound, unless the operator said so. libzmq lets one socket
speak CURVE in one place and plainly in another; so the daemon's own processes, which have no key,
come in by an inner way, a Unix socket without a file, where the kernel tells who they are.

The file of a Unix socket is for the daemon alone from its first moment, and given away after that.
"""

from __future__ import annotations

import errno
import logging
import os
from typing import Any

import zmq

from cvec_circus_core.control.peers.authentication import Bound
from cvec_circus_core.model.endpoints import REACHED_BY_OTHERS, is_private, speaks_curve
from cvec_circus_core.model.errors import CannotBind
from cvec_circus_core.model.values import Struct
from cvec_circus_core.system.net.endpoint_files import (
    folder_doubts,
    give,
    is_taken,
    listener_of,
    made_for_me,
    path_of,
)
from cvec_circus_core.system.net.port_holders import holders_of_port

log = logging.getLogger(__name__)

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


class BindTarget(Struct, frozen=True):
    """Where a socket is to be bound. ``key`` names the option in messages."""

    endpoint: str
    key: str
    owner: int | str | None = None
    """Who gets the file of a Unix socket."""
    to_others: bool = False
    """Whether other users than the owner may connect to a Unix socket."""
    insecure: bool = False
    """Whether other machines may connect."""
    secret: str | None = None
    """The secret half of the daemon's key."""
    inner: str | None = None
    """Where the daemon's own processes come in, if CURVE is spoken at the endpoint."""

    def bind(self, bound: zmq.Socket[Any]) -> Bound:
        """Bind a socket and tell where. Raises `CannotBind`."""
        for doubt in folder_doubts(self.endpoint):
            log.warning("%s %s", self.key, doubt)
        if self.secret is not None and speaks_curve(self.endpoint, self.secret):
            return self._bind_by_key(bound, self.secret)
        if not self.insecure and is_private(self.endpoint) is False:
            raise CannotBind(f"{self.key} {self.endpoint} {REACHED_BY_OTHERS}")
        with made_for_me():
            got = bind(bound, self.endpoint, self.key)
        if not self.insecure and not is_private(got):
            raise CannotBind(f"{self.key} {self.endpoint} {REACHED_BY_OTHERS}")
        give(got, self.owner, to_others=self.to_others)
        return Bound(got, by_key=False)

    def mend(self, bound: zmq.Socket[Any]) -> bool:
        """Bind a socket once more if its file is gone, and tell so. Raises `CannotBind`.

        The connections that are there stay. So does the listener without a name, which costs a
        descriptor: libzmq would end it later, and take the new file away then.
        """
        if path_of(self.endpoint) is None or _listener(self.endpoint) in (0, os.getpid()):
            return False
        self.bind(bound)
        return True

    def _bind_by_key(self, bound: zmq.Socket[Any], secret: str) -> Bound:
        if not zmq.has("curve"):
            raise CannotBind(f"{self.key} {self.endpoint}: the ZeroMQ that is here knows no CURVE")
        if self.inner is not None:
            bind(bound, self.inner, self.key)
        bound.setsockopt(zmq.CURVE_SERVER, 1)
        bound.setsockopt(zmq.CURVE_SECRETKEY, bytes.fromhex(secret))
        return Bound(bind(bound, self.endpoint, self.key), by_key=True)


def bind(bound: zmq.Socket[Any], endpoint: str, key: str) -> str:
    """Bind a socket and return the endpoint that it got (port 0 takes a free one).

    Raises `CannotBind`.
    """
    pid = _listener(endpoint)
    if pid is not None:
        # libzmq would take the file away from the daemon that listens there.
        who = f" (process {pid})" if pid else ""
        raise CannotBind(f"{key} {endpoint} {_REASONS[errno.EADDRINUSE]}{who}")
    if is_taken(endpoint):
        # libzmq would take that away, too, whatever is in it.
        raise CannotBind(f"{key} {endpoint} already exists, and is no socket: it is left alone")
    if "[" in endpoint:
        # Only where an IPv6 address is written: with it, IPv4 ones would be told as mapped.
        bound.setsockopt(zmq.IPV6, 1)
    try:
        bound.bind(endpoint)
    except zmq.ZMQError as error:
        reason = _REASONS.get(error.errno or 0, f"can not be bound: {error.strerror}")
        if error.errno == errno.EADDRINUSE and endpoint.rpartition(":")[2].isdecimal():
            pids = holders_of_port(int(endpoint.rpartition(":")[2]), "SOCK_STREAM")
            reason += f" (process {', '.join(map(str, pids))})" if pids else ""
        raise CannotBind(f"{key} {endpoint} {reason}") from None
    return bound.getsockopt_string(zmq.LAST_ENDPOINT)


def _listener(endpoint: str) -> int | None:
    """Return the pid of who listens at a Unix endpoint, 0 if it is not told, None for nobody."""
    path = path_of(endpoint)
    try:
        return None if path is None else listener_of(path)
    except OSError:
        return None  # The bind says it better.
