"""Addresses of ZeroMQ sockets, as an option: checked for form, never for being free."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address

from cvec_circus_core.model.kinds import TEXT, Kind

_ADDRESS = re.compile(r"([a-z]+)://(.+)", re.DOTALL)
_HOST_AND_PORT = re.compile(r"(.+):(\d{1,5}|\*)")
_BIGGEST_PORT = 65535


def endpoint(*transports: str) -> Kind:
    """Return the kind that takes addresses of these transports."""
    allowed = " or ".join(_EXAMPLES[transport] for transport in transports)

    def check(value: object) -> str:
        address: str = TEXT.check(value).strip()
        match_ = _ADDRESS.fullmatch(address)
        if match_ is None or match_[1] not in transports or not _is_place(match_[1], match_[2]):
            raise ValueError("an endpoint")
        return address

    return Kind("endpoint", f"an endpoint such as {allowed}", check, check)


def _is_place(transport: str, place: str) -> bool:
    if transport not in ("tcp", "udp"):
        return True
    match_ = _HOST_AND_PORT.fullmatch(place)
    return match_ is not None and (match_[2] == "*" or int(match_[2]) <= _BIGGEST_PORT)


_EXAMPLES = {
    "tcp": "tcp://127.0.0.1:5555",
    "ipc": "ipc:///run/circus.sock",
    "inproc": "inproc://circus",
    "udp": "udp://237.219.251.97:12027",
}


def is_private(endpoint: str) -> bool | None:
    """Tell whether only this machine can reach an address; None where only a bind shows that."""
    transport, _, place = endpoint.partition("://")
    if transport not in ("tcp", "udp"):
        return True
    host = place.rpartition(":")[0].strip("[]").partition("%")[0]
    if host == "localhost":
        return True
    if host == "*":
        return False
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def speaks_curve(endpoint: str, curve_key: str | None) -> bool:
    """Tell whether only those come in at an endpoint who show a key."""
    return curve_key is not None and is_private(endpoint) is not True


REACHED_BY_OTHERS = (
    "can be reached by other machines, and who calls from there can not be told: "
    "let them in by key (circusctl keygen --daemon FILE, and curve_key = FILE in [circus]), "
    "or say insecure = True in [circus] to obey everybody; else use 127.0.0.1 or ipc://"
)
