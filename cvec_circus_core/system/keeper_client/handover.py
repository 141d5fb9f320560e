"""What a keeper begins with that follows another: everything that one had.

It goes as plain data in a file in memory, with descriptors that pass exec. It is a mapping of
names: a reader ignores what it does not know, and does without what is missing, so that an older
and a newer version read each other's.
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Iterable, Mapping
from typing import Any

from cvec_circus_core.model.bind_plan import BindPlan, OpenSocket
from cvec_circus_core.model.exits import Exit
from cvec_circus_core.system.keeper_client.ledger import NO_DESCRIPTOR, Entry, Holdings
from cvec_circus_core.system.state_store import Inventory, KeptProcess

FORM = 1
"""The number of the form; another one would not be understood."""

KeptSocket = tuple[BindPlan, OpenSocket]


def pack(holdings: Holdings, sockets: Iterable[KeptSocket], facts: Mapping[str, object]) -> int:
    """Return a file with all of that; it and all the descriptors pass exec. Raises OSError."""
    kept = list(sockets)
    descriptors = [*_existing(holdings.held).values()]
    for entry in holdings.ledger:
        descriptors += _existing(entry.descriptors).values()
    descriptors += (opened.number for _, opened in kept)
    data = {
        "processes": [_to_data(entry) for entry in holdings.ledger],
        "sockets": [(plan._asdict(), opened._asdict()) for plan, opened in kept],
        "notes": holdings.notes,
        "held": _existing(holdings.held),
        "facts": dict(facts),
    }
    file = os.memfd_create("handover", 0)
    with open(file, "wb", closefd=False) as out:
        marshal.dump(data, out)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, True)
    return file


def holdings_of(inventory: Inventory) -> Holdings:
    """Return what an inventory has, but for the sockets, as the next keeper would hold it."""
    holdings = Holdings()
    holdings.notes.update(inventory.notes)
    holdings.held.update(inventory.held)
    for process in inventory.processes:
        holdings.ledger.resume(process, process.descriptors)
    return holdings


def unpack(file: int) -> Inventory:
    """Return what was packed. Raises ValueError and others, where another version has packed it."""
    with open(file, "rb", closefd=False) as packed:
        packed.seek(0)
        data: dict[str, Any] = marshal.load(packed)  # noqa: S302 - of a program of ours
    return Inventory(
        [_from_data(fields) for fields in data.get("processes", ())],
        [
            (BindPlan(**_fields_of(BindPlan, plan)), OpenSocket(**_fields_of(OpenSocket, opened)))
            for plan, opened in data.get("sockets", ())
        ],
        data.get("notes", {}),
        data.get("held", {}),
        data.get("facts", {}),
    )


def _existing(descriptors: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in descriptors.items() if number != NO_DESCRIPTOR}


def _to_data(entry: Entry) -> dict[str, object]:
    end = None if entry.end is None else (entry.end.code, entry.end.left_behind)
    return {
        "number": entry.number,
        "pid": entry.pid,
        "label": entry.label,
        "descriptors": _existing(entry.descriptors),
        "end": end,
        "is_confirmed": entry.is_confirmed,
    }


def _from_data(fields: Mapping[str, Any]) -> KeptProcess:
    end = fields["end"]
    return KeptProcess(
        fields["number"],
        fields["pid"],
        fields["label"],
        fields["descriptors"],
        None if end is None else Exit(end[0], left_behind=end[1]),
        fields["is_confirmed"],
    )


def _fields_of(
    kind: type[BindPlan] | type[OpenSocket], fields: Mapping[str, Any]
) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in kind._fields}
