"""Tables in files that nobody else may read: people, tokens, links, sessions.

Another process may change such a file at any time, as ``circusctl token add`` and a second worker
do, so it is read again when it has changed. What is written appears whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cvec_circus_core.api import BadKeys, Role, quoted, read_private, rewrite

Row = dict[str, Any]
Rows = dict[str, Row]

_ROLES = frozenset(role.value for role in Role)


class PrivateTable:
    """Rows by name in one file. Methods raise `BadKeys` for a file that can not be trusted."""

    def __init__(self, file: Path, keys: Iterable[str] = ()) -> None:
        """``keys`` are what every row has."""
        self._file = file
        self._keys = frozenset(keys)
        self._read_at: tuple[int, int] | None = None
        self._rows: Rows = {}

    def rows(self) -> Mapping[str, Row]:
        """Return all rows, as they are now."""
        changed_at = self._changed_at()
        if changed_at != self._read_at:
            self._rows = {} if changed_at is None else self._parsed(self._text())
            self._read_at = changed_at
        return self._rows

    def change(self, change: Callable[[Rows], Rows]) -> None:
        """Replace the rows by what ``change`` makes of them."""

        def changed_text(text: str) -> str:
            return json.dumps(change(self._parsed(text)), indent=1, sort_keys=True) + "\n"

        rewrite(str(self._file), changed_text)

    def remove(self, name: str, missing: str = "") -> None:
        """Take a row away; one that is not there is a `BadKeys` where ``missing`` says so."""

        def without(rows: Rows) -> Rows:
            if missing and name not in rows:
                raise BadKeys(missing)
            return {other: row for other, row in rows.items() if other != name}

        self.change(without)

    def _changed_at(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._file)
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino

    def _text(self) -> str:
        try:
            return read_private(str(self._file))
        except FileNotFoundError:
            return ""

    def _parsed(self, text: str) -> Rows:
        if not text:
            return {}
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise BadKeys(f"{self._file} is not JSON: {error}") from None
        if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
            raise BadKeys(f"{self._file} does not hold a table")
        for name, row in rows.items():
            if missing := sorted(self._keys - row.keys()):
                raise BadKeys(f"{self._file}: {quoted(name)} has no {missing[0]}")
            if "role" in self._keys and row["role"] not in _ROLES:
                raise BadKeys(f"{self._file}: the role of {quoted(name)} is not known")
        return rows
