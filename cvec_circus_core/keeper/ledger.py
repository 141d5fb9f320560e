"""What the keeper knows of the processes that the brain has started: the inventory.

A process stays in the ledger until its end was told to everybody (`confirm`) and none of its
descriptors is wanted any more. Its entry has a number of its own, because pids are used again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cvec_circus_core.model.exits import Exit


@dataclass(eq=False, slots=True)
class Entry:
    """One process, and what was handed over with it."""

    number: int
    pid: int
    label: bytes
    descriptors: dict[str, int] = field(default_factory=dict)
    end: Exit | None = None
    is_confirmed: bool = False


class Ledger:
    """All entries by number, and the living by pid."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._last_number = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, pid: int, label: bytes, descriptors: Mapping[str, int]) -> Entry:
        """Take in a process that was just started, with descriptors that are the ledger's now."""
        self._last_number += 1
        entry = Entry(self._last_number, pid, label, dict(descriptors))
        self._entries[entry.number] = entry
        return entry

    def label(self, number: int, label: bytes) -> None:
        """Take what is known of a process now."""
        if number in self._entries:
            self._entries[number].label = label

    def release(self, number: int, name: str) -> None:
        """Close one descriptor of a process."""
        entry = self._entries.get(number)
        if entry is not None and name in entry.descriptors:
            os.close(entry.descriptors.pop(name))
            self._drop_if_over(entry)

    def confirm(self, number: int) -> None:
        """Note that the end of a process was told."""
        entry = self._entries.get(number)
        if entry is not None:
            entry.is_confirmed = True
            self._drop_if_over(entry)

    def _drop_if_over(self, entry: Entry) -> None:
        if entry.is_confirmed and entry.end is not None and not entry.descriptors:
            del self._entries[entry.number]
