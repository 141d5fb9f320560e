"""People with a password: who they are, what they may, and whether a password is theirs.

Passwords are kept as argon2id makes them. Checking one takes memory and time on purpose, so it
happens in a thread, a few at once, and just as long for a name that nobody has.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from cvec_circus_core.api import BadKeys, Person, Role
from cvec_circus_plugins.httpd.private_table import PrivateTable

FILE = "people.json"
SHORTEST = 10
"""Characters of a password, at least."""
LONGEST = 1024
_AT_ONCE = 2


class People:
    """The password file of one console. Methods raise `BadKeys`."""

    def __init__(self, folder: Path) -> None:
        self._table = PrivateTable(folder / FILE, ("role", "argon2"))
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash("nobody has this password")
        self._turns = asyncio.Semaphore(_AT_ONCE)

    @property
    def has_any(self) -> bool:
        """Whether anybody can sign in with a password."""
        return bool(self._table.rows())

    def find(self, name: str) -> Person | None:
        """Return a person by name."""
        row = self._table.rows().get(name)
        return None if row is None else Person(name, Role(row["role"]))

    def put(self, name: str, password: str, role: Role) -> None:
        """Let somebody in, or change their password and role."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise BadKeys(f"a password has at least {SHORTEST} characters")
        row = {"role": role.value, "argon2": self._hasher.hash(password)}
        self._table.change(lambda rows: {**rows, name: row})

    def remove(self, name: str) -> None:
        """Let somebody in no longer."""
        self._table.remove(name, f"nobody is named {name!r}")

    async def checked(self, name: str, password: str) -> Person | None:
        """Return the person to whom name and password belong, or None."""
        row = self._table.rows().get(name)
        kept_hash = self._nobody if row is None else row["argon2"]
        async with self._turns:
            is_right = await asyncio.to_thread(self._is_right, kept_hash, password[:LONGEST])
        return Person(name, Role(row["role"])) if is_right and row is not None else None

    def _is_right(self, kept_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept_hash, password)
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False
