"""Why no conversation began: looked at once all else has failed, to say it in one sentence."""

from __future__ import annotations

import socket

from cvec_circus_core.model.curve_keys import place_of
from cvec_circus_core.model.errors import CallError, NoAnswer, NothingListens, NotLetIn

PROBE_SECONDS = 0.5

# The beginning of a greeting, as far as the version. A listener that reads that shows all of its
# own; after a whole one it would hang up if it spoke another mechanism.
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03"
_MECHANISM = slice(12, 32)


def unreachable(
    endpoint: str, seconds: float, *, through_ssh: bool, key: str | None = None
) -> CallError:
    """Return the error for an endpoint with which no conversation could begin.

    ``key`` is the public half of the key that was shown there, if one was.
    """
    if through_ssh or not is_open(endpoint):
        return NothingListens(endpoint, seconds)
    match mechanism_at(endpoint), key:
        case "CURVE", None:
            return NotLetIn(
                f"the daemon at {endpoint} takes only those who show a key, and its own is not "
                "known here: circusctl keygen makes a key of yours, circusctl trust HOST KEY tells "
                "that of the daemon"
            )
        case "CURVE", _:
            return NotLetIn(
                f"the daemon at {endpoint} does not let you in: your key {key} is not authorized "
                "there (circusctl authorize), or its own key is another than is known here"
            )
        case "NULL", str():
            return NotLetIn(
                f"what listens at {endpoint} shows no key, though a daemon is known there by "
                "one: nothing was sent"
            )
    return NoAnswer(endpoint, seconds)


def is_open(endpoint: str) -> bool:
    """Tell whether anything takes connections at an endpoint, whatever is spoken there."""
    transport, _, address = endpoint.partition("://")
    try:
        if transport == "ipc":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(PROBE_SECONDS)
                probe.connect(address)
        else:
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True


def mechanism_at(endpoint: str) -> str | None:
    """Return how the listener at a tcp endpoint makes sure of its callers (ZMTP 3)."""
    place = place_of(endpoint)
    if place is None:
        return None
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS) as probe:
            probe.sendall(_GREETING)
            heard = b""
            while len(heard) < _MECHANISM.stop and (more := probe.recv(64)):
                heard += more
    except (OSError, ValueError):
        return None
    return heard[_MECHANISM].rstrip(b"\0").decode("ascii", "replace") or None
