"""How a client's socket is made: it drops what it can not deliver, and may go through ssh.

A daemon of another machine is known by its key (CURVE): where the caller's folder of keys tells one
for the endpoint, that one must be there, and the caller shows their own.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

import zmq

from cvec_circus_core.model.errors import CallError, CircusError, NothingListens

if TYPE_CHECKING:
    from cvec_circus_core.model.curve_keys import CurveKeys


KEYS_VARIABLE = "CIRCUS_KEYS"
_KNOWN_DAEMONS = "known_daemons"
_SOONEST, _LATEST = 10, 500
"""Milliseconds between two tries to connect. A daemon that is taken over is away for less than a
tenth of a second."""


def keys_folder() -> str:
    """Return the folder of the caller's key and of the keys that are known there."""
    folder = os.environ.get(KEYS_VARIABLE)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.join("~", ".config")
    return os.path.expanduser(folder or os.path.join(home, "circus"))


def connect(
    socket: zmq.Socket[Any],
    endpoint: str,
    ssh_server: str | None,
    ssh_keyfile: str | None,
    keys: str | CurveKeys | None = None,
) -> str | None:
    """Connect a client's socket, closing it where that can not be.

    ``keys`` is a folder of them, or those for this very daemon. Returns the public half of the key
    that is shown there, None where none is. Raises `CallError`.

    Clients wait until a daemon is there to get a request (`connection_watch.py`). Otherwise a
    command whose call had long been given up would be carried out when the daemon comes back; and
    they could not tell "nothing listens" from "no answer". Subscriptions may well be there early.
    """
    socket.linger = 0
    if socket.type == zmq.DEALER:
        socket.set(zmq.RECONNECT_IVL, _SOONEST)
        socket.set(zmq.RECONNECT_IVL_MAX, _LATEST)
    if "[" in endpoint:
        socket.set(zmq.IPV6, 1)
    try:
        own_keys = _show_key(socket, endpoint, keys)
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
    return own_keys


def unreachable(
    endpoint: str, seconds: float, *, through_ssh: bool, key: str | None = None
) -> CallError:
    """Return the error for an endpoint with which no conversation could begin."""
    # Only needed when all else has failed.
    unreachable = import_module("cvec_circus_core.control.unreachable").unreachable
    error: CallError = unreachable(endpoint, seconds, through_ssh=through_ssh, key=key)
    return error


def refuse_nothing(endpoint: str) -> None:
    """Raise `NothingListens` where the kernel says so: a refused connection, no such file."""
    if not import_module("cvec_circus_core.control.unreachable").is_open(endpoint):
        raise NothingListens(endpoint, 0.0)


def _show_key(socket: zmq.Socket[Any], endpoint: str, keys: str | CurveKeys | None) -> str | None:
    own_keys: CurveKeys | None
    if keys is None or isinstance(keys, str):
        folder = keys_folder() if keys is None else os.path.expanduser(keys)
        # Most callers have no keys: for them, nothing is loaded.
        daemons_file = os.path.join(folder, _KNOWN_DAEMONS)
        if not endpoint.startswith("tcp://") or not os.path.lexists(daemons_file):
            return None
        try:
            read = import_module("cvec_circus_core.system.key_files").client_keys
            own_keys = read(folder, endpoint)
        except CircusError as error:
            raise CallError(str(error)) from None
    else:
        own_keys = keys
    if own_keys is None:
        return None
    socket.setsockopt(zmq.CURVE_SERVERKEY, bytes.fromhex(own_keys.server))
    socket.setsockopt(zmq.CURVE_PUBLICKEY, bytes.fromhex(own_keys.own.public))
    socket.setsockopt(zmq.CURVE_SECRETKEY, bytes.fromhex(own_keys.own.secret))
    return own_keys.own.public


def _tunnel(socket: Any, endpoint: str, server: str, keyfile: str | None) -> None:
    if not endpoint.startswith("tcp://"):
        raise CallError(f"ssh leads to tcp endpoints only, not to {endpoint!r}")
    from zmq import ssh  # brings pexpect or paramiko, which nobody else should wait for

    hangups_ignored = import_module("cvec_circus_core.system.hangup").hangups_ignored
    try:
        with hangups_ignored():
            ssh.tunnel_connection(socket, endpoint, server, keyfile)
    except ImportError:
        raise CallError("a way through ssh needs the package pexpect or paramiko") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise CallError(f"no tunnel through {server!r} to {endpoint!r}: {error}") from None
