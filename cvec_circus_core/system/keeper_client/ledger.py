"""What is kept of the processes that a brain has started, and for the brain after it.

A process stays in the ledger until its end was told to everybody (`confirm`) and none of its
descriptors is wanted any more. Its entry has a number of its own, because pids are used again.

Keeper and brain have a copy each, so that the death of one of them loses nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cvec_circus_core.model.exits import Exit
from cvec_circus_core.system.state_store import KeptProcess

NO_DESCRIPTOR = -1
"""Stands for one that only the other side has."""


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
    """All entries by number."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._last_number = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, number: int) -> bool:
        return number in self._entries

    def __getitem__(self, number: int) -> Entry:
        return self._entries[number]

    def add(
        self, pid: int, label: bytes, descriptors: Mapping[str, int], number: int | None = None
    ) -> Entry:
        """Take in a process, with descriptors that are ours now, by a number or the next."""
        number = self._last_number + 1 if number is None else number
        self._last_number = max(self._last_number, number)
        entry = self._entries[number] = Entry(number, pid, label, dict(descriptors))
        return entry

    def resume(self, process: KeptProcess, descriptors: Mapping[str, int]) -> Entry:
        """Take in a process of an inventory as it stands there, with descriptors that are ours."""
        entry = self.add(process.pid, process.label, descriptors, process.number)
        entry.end, entry.is_confirmed = process.end, process.is_confirmed
        return entry

    def label(self, number: int, label: bytes) -> None:
        """Take what is known of a process now."""
        if number in self._entries:
            self._entries[number].label = label

    def release(self, number: int, name: str) -> None:
        """Close one descriptor of a process."""
        entry = self._entries.get(number)
        if entry is not None and name in entry.descriptors:
            descriptor = entry.descriptors.pop(name)
            if descriptor != NO_DESCRIPTOR:
                os.close(descriptor)
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


class Holdings:
    """All that is kept for the next brain but the sockets: processes, notes, descriptors."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.notes: dict[str, bytes] = {}
        self.held: dict[str, int] = {}

    def hold(self, name: str, descriptor: int) -> None:
        """Have a descriptor that belongs to no process, in the place of the one of this name."""
        before = self.held.get(name, NO_DESCRIPTOR)
        self.held[name] = descriptor
        if before != NO_DESCRIPTOR:
            os.close(before)

    def note(self, key: str, content: bytes | None) -> None:
        """Keep something under a key; None forgets it."""
        if content is None:
            self.notes.pop(key, None)
        else:
            self.notes[key] = content
