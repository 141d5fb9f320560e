"""One-time links: the first way in, printed where the console starts."""

from __future__ import annotations

import secrets
from pathlib import Path

from cvec_circus_core.api import Person, Role, unix_time
from cvec_circus_plugins.httpd.private_table import PrivateTable, Rows
from cvec_circus_plugins.httpd.tokens import digest

FILE = "links.json"
GOOD_FOR = 3600.0
"""Seconds."""
_AT_MOST = 100


class Links:
    """The open links of one console's folder. Methods raise `BadKeys`."""

    def __init__(self, folder: Path) -> None:
        self._table = PrivateTable(folder / FILE, ("name", "role", "expires"))

    def make(self, person: Person) -> str:
        """Return the secret of a new link, with which this person can sign in once."""
        secret = secrets.token_urlsafe(32)
        row = {"name": person.name, "role": person.role.value, "expires": unix_time() + GOOD_FOR}
        self._table.change(lambda rows: {**_newest(rows), digest(secret): row})
        return secret

    def use(self, secret: str) -> Person | None:
        """Return for whom a link is, and never again; None for one that is not good."""
        key = digest(secret)
        if key not in self._table.rows():
            return None
        used: list[Person] = []

        def without(rows: Rows) -> Rows:
            good = _good(rows)
            row = good.pop(key, None)
            if row is not None:
                used.append(Person(row["name"], Role(row["role"])))
            return good

        self._table.change(without)
        return used[0] if used else None


def _newest(rows: Rows) -> Rows:
    # A console that can not stay up makes one at each start.
    good = sorted(_good(rows).items(), key=lambda entry: entry[1]["expires"])
    return dict(good[-_AT_MOST + 1 :])


def _good(rows: Rows) -> Rows:
    now = unix_time()
    return {key: row for key, row in rows.items() if now < row["expires"]}
