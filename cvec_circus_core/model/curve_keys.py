"""Keys for calls between machines (CURVE): what they look like, and who holds one.

A key is 32 bytes, written as 64 hexadecimal digits, so that no shell and no configuration file
finds anything special in it. The 40 characters that ZeroMQ itself writes (Z85) are read as well.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping

from cvec_circus_core.model.access import KnownKey, Role
from cvec_circus_core.model.errors import ConfigError
from cvec_circus_core.model.values import Struct

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_Z85_LENGTH = 40


class BadKeys(ConfigError):
    """Keys, or a file of them, that can not be used."""


class KeyPair(Struct, frozen=True):
    """Both halves of a key; anyone who has the secret one is its holder."""

    public: str
    secret: str

    def __repr__(self) -> str:
        return f"KeyPair(public={self.public!r})"


class CurveKeys(Struct, frozen=True):
    """What a client needs: its own pair, and the public key of the daemon that it means."""

    server: str
    own: KeyPair


def read_key(text: str) -> str:
    """Return a key in its usual form. Raises `BadKeys`."""
    word = text.strip()
    if _HEX.fullmatch(word):
        return word.lower()
    if len(word) == _Z85_LENGTH and not set(word) - set(_Z85):
        try:
            return _from_z85(word)
        except struct.error:
            pass
    raise BadKeys(f"{text!r} is no key: one has 64 hexadecimal digits, as circusctl keygen shows")


def read_name(text: str) -> str:
    """Return the name of a key's holder. Raises `BadKeys`."""
    if not _NAME.fullmatch(text):
        raise BadKeys(f"{text!r} can not be a name: use letters, digits and any of ._@-")
    return text


def read_role(text: str) -> Role:
    """Return a role by its word. Raises `BadKeys`."""
    try:
        return Role(text)
    except ValueError:
        raise BadKeys(f"a role is operator, viewer or guest, not {text!r}") from None


def read_known(text: str, file: str) -> tuple[KnownKey, ...]:
    """Read the lines ``NAME ROLE KEY`` of a file. Raises `BadKeys` with the line that is wrong."""
    keys: list[KnownKey] = []
    for number, words in _lines(text):
        try:
            if len(words) != 3:
                raise BadKeys("a line is NAME ROLE KEY")
            known_key = KnownKey(read_name(words[0]), read_role(words[1]), read_key(words[2]))
            twin = next((old for old in keys if old.key == known_key.key), None)
            if twin is not None:
                raise BadKeys(f"{known_key.name} has the key of {twin.name}")
        except BadKeys as error:
            raise BadKeys(f"{file}:{number}: {error}") from None
        keys.append(known_key)
    return tuple(keys)


def write_known(keys: Iterable[KnownKey]) -> str:
    """Return the text that `read_known` reads."""
    head = "# Who is let in from other machines: NAME ROLE KEY (circusctl authorize).\n"
    return head + "".join(f"{key.name} {key.role.value} {key.key}\n" for key in keys)


def read_servers(text: str, file: str) -> dict[str, str]:
    """Read the lines ``HOST[:PORT] KEY`` of a file. Raises `BadKeys`."""
    values: dict[str, str] = {}
    for number, words in _lines(text):
        try:
            if len(words) != 2:
                raise BadKeys("a line is HOST[:PORT] KEY")
            values[words[0].lower()] = read_key(words[1])
        except BadKeys as error:
            raise BadKeys(f"{file}:{number}: {error}") from None
    return values


def write_servers(servers: Mapping[str, str]) -> str:
    """Return the text that `read_servers` reads."""
    head = "# The daemons of other machines, by their keys: HOST[:PORT] KEY (circusctl trust).\n"
    return head + "".join(f"{place} {key}\n" for place, key in servers.items())


def read_pair(text: str, file: str) -> KeyPair:
    """Read the two halves of a key. Raises `BadKeys`."""
    values: dict[str, str] = {}
    for line in text.split("\n"):
        word, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith("#"):
            values[word.strip()] = value.strip()
    try:
        return KeyPair(read_key(values["public"]), read_key(values["secret"]))
    except (KeyError, BadKeys):
        raise BadKeys(f"{file} is no key file of circusctl keygen") from None


def write_pair(pair: KeyPair) -> str:
    """Return the text that `read_pair` reads."""
    return (
        "# Made by circusctl keygen. Anyone who can read this file is its owner: show nobody.\n"
        f"public = {pair.public}\nsecret = {pair.secret}\n"
    )


def place_of(endpoint: str) -> str | None:
    """Return HOST:PORT of a tcp endpoint, None for any other."""
    transport, _, place = endpoint.partition("://")
    return place.lower() if transport == "tcp" else None


def server_of(servers: Mapping[str, str], endpoint: str) -> str | None:
    """Return the key of the daemon at an endpoint: that of its port, else that of its host."""
    place = place_of(endpoint)
    if place is None:
        return None
    return servers.get(place) or servers.get(place.rpartition(":")[0])


def _lines(text: str) -> Iterable[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.split()


def _from_z85(word: str) -> str:
    groups = []
    for start in range(0, len(word), 5):
        value = 0
        for letter in word[start : start + 5]:
            value = value * 85 + _Z85.index(letter)
        groups.append(struct.pack(">I", value))
    return b"".join(groups).hex()
