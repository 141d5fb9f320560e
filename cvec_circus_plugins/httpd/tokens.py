"""Tokens of programs: made here, shown once, and kept as a digest.

A token is 256 bits of chance, so a plain digest of it tells nothing; nobody can try that many.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cvec_circus_core.api import BadKeys, Person, Role, unix_time
from cvec_circus_plugins.httpd.private_table import PrivateTable, Rows

FILE = "tokens.json"
_AT_MOST = 1000
_MARK = "circus_"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


def read_person_name(name: str) -> str:
    """Return the name of a person or of a token. Raises `BadKeys`."""
    if not _NAME.fullmatch(name):
        raise BadKeys(
            f"{name!r} is no name of a person: letters, digits and . _ @ + - make one, 64 at most"
        )
    return name


def digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return sha256(secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """What may be told of a token."""

    name: str
    role: str
    created: float
    expires: float | None


class Tokens:
    """The tokens of one console's folder. Methods raise `BadKeys`."""

    def __init__(self, folder: Path) -> None:
        self._table = PrivateTable(folder / FILE, ("role", "sha256", "created"))

    def add(self, name: str, role: Role, seconds: float | None = None) -> str:
        """Make a token and return it; ``seconds`` is how long it is good for."""
        token = _MARK + secrets.token_urlsafe(32)
        now = unix_time()
        row = {
            "role": role.value,
            "sha256": digest(token),
            "created": now,
            "expires": None if seconds is None else now + seconds,
        }

        def with_token(rows: Rows) -> Rows:
            if name in rows:
                raise BadKeys(f"there is a token {name!r} already")
            if len(rows) >= _AT_MOST:
                raise BadKeys(f"there are {_AT_MOST} tokens already; take away what is not used")
            return {**rows, name: row}

        self._table.change(with_token)
        return token

    def remove(self, name: str) -> None:
        """Take a token away."""
        self._table.remove(name, f"there is no token {name!r}")

    def infos(self) -> list[TokenInfo]:
        """Return all tokens, by name."""
        return [
            TokenInfo(name, row["role"], row["created"], row.get("expires"))
            for name, row in sorted(self._table.rows().items())
        ]

    def person(self, token: str) -> Person | None:
        """Return for whom a token stands; None for one that is unknown or has expired."""
        wanted_digest = digest(token)
        for name, row in self._table.rows().items():
            expires = row.get("expires")
            if secrets.compare_digest(row["sha256"], wanted_digest):
                is_good = expires is None or unix_time() < expires
                return Person(f"token:{name}", Role(row["role"])) if is_good else None
        return None
