"""Sessions: who is signed in, by a cookie that holds chance and nothing else.

A session begins with a new cookie each time that somebody signs in, and ends when it was not used
for some hours, after a week, or when they sign out. Kept is a digest of the cookie, so the file is
no way in for those who read it. The word against forged requests follows from the cookie.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from cvec_circus_core.api import Person, Role, unix_time
from cvec_circus_plugins.httpd.private_table import PrivateTable, Row, Rows
from cvec_circus_plugins.httpd.tokens import digest

FILE = "sessions.json"
BEARER = "bearer"
"""The method of a program that sends its token with each request."""
LONGEST = 7 * 24 * 3600.0
"""Seconds that a session lives at most."""
_AT_MOST = 1000
_NOTED = 60.0
"""Seconds after which the use of a session is written down again."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """Who asks, how that is known, and what their pages have to send with each act."""

    person: Person
    method: str
    """``password``, ``link``, ``token`` or ``proxy``; `BEARER` where no browser remembers it."""
    csrf: str = ""
    """The word that has to come with what changes anything; empty where no browser is trusted."""
    key: str = ""
    """What the session is kept by."""

    @property
    def may_act(self) -> bool:
        """Whether they may change anything."""
        return self.person.role is Role.OPERATOR


def csrf_of(secret: str) -> str:
    """Return the word that pages of a session have to send."""
    return sha256(b"csrf:" + secret.encode()).hexdigest()


class Sessions:
    """The sessions of one console's folder. Methods raise `BadKeys`."""

    def __init__(self, folder: Path, idle_seconds: float) -> None:
        self._table = PrivateTable(folder / FILE, ("name", "role", "method", "created", "used"))
        self._idle_seconds = idle_seconds

    def begin(self, person: Person, method: str) -> str:
        """Begin a session and return its cookie."""
        secret = secrets.token_urlsafe(32)
        now = unix_time()
        row = {
            "name": person.name,
            "role": person.role.value,
            "method": method,
            "created": now,
            "used": now,
        }
        self._table.change(lambda rows: {**self._newest(rows), digest(secret): row})
        return secret

    def find(self, secret: str) -> SessionInfo | None:
        """Return the session of a cookie; None where it is unknown or over."""
        key = digest(secret)
        row = self._table.rows().get(key)
        if row is None or not self._is_good(row):
            return None
        now = unix_time()
        if now - row["used"] > min(_NOTED, self._idle_seconds / 4):
            self._table.change(lambda rows: _used(rows, key, now))
        person = Person(row["name"], Role(row["role"]))
        return SessionInfo(person, row["method"], csrf_of(secret), key)

    def end(self, key: str) -> None:
        """End a session."""
        self._table.remove(key)

    def end_all_of(self, name: str) -> None:
        """End all sessions of a person, as when the password was changed."""
        self._table.change(
            lambda rows: {key: row for key, row in rows.items() if row["name"] != name}
        )

    def is_open(self, key: str) -> bool:
        """Tell whether a session is still good."""
        row = self._table.rows().get(key)
        return row is not None and self._is_good(row)

    def _is_good(self, row: Row) -> bool:
        now = unix_time()
        return bool(now - row["used"] < self._idle_seconds and now - row["created"] < LONGEST)

    def _newest(self, rows: Rows) -> Rows:
        good = [(key, row) for key, row in rows.items() if self._is_good(row)]
        good.sort(key=lambda entry: entry[1]["used"])
        return dict(good[-_AT_MOST + 1 :])


def _used(rows: Rows, key: str, now: float) -> Rows:
    return {**rows, key: {**rows[key], "used": now}} if key in rows else rows
