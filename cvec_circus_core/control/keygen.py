"""New keys, of the kind that ZeroMQ takes."""

from __future__ import annotations

import zmq

from cvec_circus_core.model.curve_keys import BadKeys, KeyPair, read_key


def new_pair() -> KeyPair:
    """Return a key that nobody else has. Raises `BadKeys` where ZeroMQ knows no CURVE."""
    if not zmq.has("curve"):
        raise BadKeys("the ZeroMQ that is here knows no CURVE")
    public, secret = zmq.curve_keypair()
    return KeyPair(read_key(public.decode()), read_key(secret.decode()))
