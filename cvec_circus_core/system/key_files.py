"""Where keys lie, and reading them: those of a daemon, and those of anyone who calls one.

A caller has one folder, ``$CIRCUS_KEYS`` or ``~/.config/circus``, with its own key and the keys of
the daemons that it knows. A daemon's key lies where its configuration says, and beside it, unless
that says otherwise, the list of those whom it lets in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from cvec_circus_core.model.access import KnownKey
from cvec_circus_core.model.curve_keys import (
    BadKeys,
    CurveKeys,
    KeyPair,
    read_known,
    read_pair,
    read_servers,
    server_of,
    write_known,
    write_pair,
    write_servers,
)
from cvec_circus_core.model.values import Struct
from cvec_circus_core.system.private_files import read_private, rewrite, write_new
from cvec_circus_core.system.working_dir import by_name

OWN_KEY = "client.key"
SERVERS = "known_daemons"
DAEMON_KEY = "daemon.key"
AUTHORIZED = "authorized_keys"


class DaemonKeys(Struct, frozen=True):
    """What a daemon needs: its own pair, and whom it lets in."""

    pair: KeyPair
    known: Mapping[str, KnownKey]
    """By key."""


def authorized_file(key_file: str, authorized: str | None) -> str:
    """Return the file that lists who is let in."""
    return (
        by_name(authorized) if authorized else os.path.join(os.path.dirname(key_file), AUTHORIZED)
    )


def daemon_keys(key_file: str, authorized: str | None) -> DaemonKeys:
    """Return the keys of a daemon. Raises `BadKeys`."""
    key_file = by_name(key_file)
    pair = kept_pair(key_file)
    if pair is None:
        raise BadKeys(
            f"curve_key {key_file} is not there: circusctl keygen --daemon {key_file} makes it"
        )
    return DaemonKeys(pair, known_keys(authorized_file(key_file, authorized)))


def known_keys(file: str) -> Mapping[str, KnownKey]:
    """Return who is let in, by key; nobody where there is no such file. Raises `BadKeys`."""
    try:
        text = read_private(file, secret=False)
    except FileNotFoundError:
        return {}
    return {key.key: key for key in read_known(text, file)}


def change_known(file: str, change: Callable[[tuple[KnownKey, ...]], tuple[KnownKey, ...]]) -> None:
    """Change who is let in. Raises `BadKeys`."""
    rewrite(file, lambda text: write_known(change(read_known(text, file))))


def trust(folder: str, place: str, key: str) -> None:
    """Remember the key of the daemon at HOST or HOST:PORT. Raises `BadKeys`."""
    file = os.path.join(folder, SERVERS)
    rewrite(file, lambda text: write_servers({**read_servers(text, file), place.lower(): key}))


def client_keys(folder: str, endpoint: str) -> CurveKeys | None:
    """Return the keys for a call, None where the daemon there is not known by a key.

    Raises `BadKeys`.
    """
    file = os.path.join(folder, SERVERS)
    try:
        server = server_of(read_servers(read_private(file, secret=False), file), endpoint)
    except FileNotFoundError:
        return None
    return None if server is None else CurveKeys(server, own_pair(folder))


def own_pair(folder: str) -> KeyPair:
    """Return the caller's own key. Raises `BadKeys`."""
    file = os.path.join(folder, OWN_KEY)
    pair = kept_pair(file)
    if pair is None:
        raise BadKeys(f"there is no key of yours at {file}: circusctl keygen makes one")
    return pair


def kept_pair(file: str) -> KeyPair | None:
    """Return the key in a file, None where there is no such file. Raises `BadKeys`."""
    try:
        return read_pair(read_private(file), file)
    except FileNotFoundError:
        return None


def keep_pair(file: str, pair: KeyPair) -> None:
    """Write a new key. Raises `BadKeys`, also where there is one already."""
    write_new(file, write_pair(pair))
