"""A snapshot becomes rows: filtered, sorted, folded, as a tree or flat.

Rows hold values, not texts, so that they can be sorted and drawn by whoever likes. What is not
known is None and goes last, in whichever direction is sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar

from cvec_circus_cli.top.facts import Process, Socket
from cvec_circus_cli.top.lines import clean
from cvec_circus_cli.top.snapshot import DAEMON, Group, Snapshot, total

if TYPE_CHECKING:
    from cvec_circus_cli.top.view import View

Value = float | str | tuple[float, ...] | None
T = TypeVar("T")

ASCENDING = frozenset({"name", "pid", "user", "state", "nice", "fd", "address"})
"""What is read from its beginning; of all else the most comes first."""


class Sheet(Enum):
    """What is listed."""

    PROCESSES = "processes"
    SOCKETS = "sockets"


class Branch(Enum):
    """Where a row hangs in the tree."""

    NONE = ""
    OPEN = "open"
    FOLDED = "folded"
    FORK = "fork"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what it stands for, where it hangs, and its values by column."""

    id: str
    values: Mapping[str, Value]
    watcher: str = ""
    pid: int | None = None
    depth: int = 0
    branch: Branch = Branch.NONE
    count: int = 0
    """How many processes a watcher has."""


def rows_of(snapshot: Snapshot, view: View) -> list[Row]:
    """Return the rows that a view shows of a snapshot."""
    if view.sheet is Sheet.SOCKETS:
        return list(_socket_rows(snapshot, view))
    if view.is_flat:
        return list(_flat_rows(snapshot, view))
    return list(_tree_rows(snapshot, view))


def extras_of(snapshot: Snapshot, sheet: Sheet) -> list[str]:
    """Return the names of what plugins add to the numbers, sorted."""
    found: set[str] = set()
    if sheet is Sheet.SOCKETS:
        for socket in snapshot.sockets:
            found.update(socket.extra)
    else:
        for group in snapshot.groups:
            for process in group.processes:
                found.update(process.extra)
    return sorted(found)


def _tree_rows(snapshot: Snapshot, view: View) -> Iterator[Row]:
    wanted = view.filter.casefold()
    shown = []
    for group in snapshot.groups:
        processes = [process for process in group.processes if _matches(group, process, wanted)]
        if processes or wanted in group.name.casefold():
            shown.append((group, processes))
    for group, processes in _ordered(shown, view, lambda one: _group_values(one[0], view)):
        is_folded = group.name in view.folded
        yield Row(
            group.name,
            _group_values(group, view),
            group.name,
            branch=Branch.FOLDED if is_folded else Branch.OPEN,
            count=len(group.processes),
        )
        if not is_folded:
            yield from _branch_rows(processes, view, 1)


def _branch_rows(processes: Sequence[Process], view: View, depth: int) -> Iterator[Row]:
    ordered = _ordered(processes, view, process_values)
    for number, one in enumerate(ordered, 1):
        branch = Branch.LAST if number == len(ordered) else Branch.FORK
        yield _process_row(one, depth, branch)
        yield from _branch_rows(one.children, view, depth + 1)


def _flat_rows(snapshot: Snapshot, view: View) -> Iterator[Row]:
    wanted = view.filter.casefold()
    shown = [
        process
        for group in snapshot.groups
        for process in group.processes
        if _matches(group, process, wanted)
    ]
    for one in _ordered(shown, view, lambda one: {**process_values(one), "name": one.watcher}):
        row = _process_row(one, 0, Branch.NONE)
        name = clean(f"{one.watcher} {row.values['name']}")
        yield Row(row.id, {**row.values, "name": name}, row.watcher, row.pid)


def _socket_rows(snapshot: Snapshot, view: View) -> Iterator[Row]:
    wanted = view.filter.casefold()
    most = max((socket.reads or 0.0 for socket in snapshot.sockets), default=0.0)
    shown = [
        socket
        for socket in snapshot.sockets
        if wanted in socket.address.casefold() or wanted in socket.name.casefold()
    ]
    for one in _ordered(shown, view, socket_values):
        values = {**socket_values(one), "share": (one.reads or 0.0) / most if most else 0.0}
        if one.queued is not None and one.backlog:
            values["queue_bar"] = one.queued / one.backlog
        yield Row(f"socket/{one.fd}", values)


def _process_row(one: Process, depth: int, branch: Branch) -> Row:
    identity = f"{one.watcher}/{one.pid}"
    return Row(identity, process_values(one), one.watcher, one.pid, depth, branch)


def process_values(one: Process) -> dict[str, Value]:
    """Return what is known of a process, by column."""
    label = one.label if one.wid is None else f"{one.wid} {one.label}"
    return {
        **one.extra,
        "name": clean(label),
        "pid": one.pid,
        "user": clean(one.user),
        "state": clean(one.state),
        "nice": one.nice,
        "threads": one.threads,
        "files": one.files,
        "cpu": one.cpu,
        "memory": one.memory,
        "resident": one.resident,
        "virtual": one.virtual,
        "pss": one.pss,
        "below_cpu": one.below_cpu,
        "below_resident": one.below_resident,
        "age": one.age,
        "time": one.time,
        "history": one.history,
    }


def socket_values(one: Socket) -> dict[str, Value]:
    """Return what is known of a socket, by column."""
    return {
        **one.extra,
        "address": clean(one.address),
        "fd": one.fd,
        "name": clean(one.name),
        "reads": one.reads,
        "queued": one.queued,
        "backlog": one.backlog,
        "connections": one.connections,
        "history": one.history,
    }


def health_text(group: Group) -> str:
    """Return how a watcher fares, in a few words: active 2/3."""
    said = group.health
    if said is None:
        return ""
    is_whole = said.running == (said.wanted if said.state == "active" else 0)
    if said.wanted is None or is_whole:
        return said.state
    return f"{said.state} {said.running}/{said.wanted}"


def _group_values(group: Group, view: View) -> dict[str, Value]:
    users = {process.user for process in group.processes}
    return {
        "name": clean(group.name),
        "user": clean(users.pop()) if len(users) == 1 else "",
        "state": clean(health_text(group)),
        "threads": total(process.threads for process in group.processes),
        "files": total(process.files for process in group.processes),
        "cpu": group.mean if view.is_mean else group.cpu,
        "memory": group.memory,
        "resident": group.resident,
        "virtual": total(process.virtual for process in group.processes),
        "pss": total(process.pss for process in group.processes),
        "below_cpu": total(process.below_cpu for process in group.processes),
        "below_resident": total(process.below_resident for process in group.processes),
        "age": group.age,
        "time": group.time,
        "history": group.history,
    }


def _matches(group: Group, one: Process, wanted: str) -> bool:
    if not wanted or wanted in group.name.casefold() or str(one.pid) == wanted:
        return True
    return wanted in one.label.casefold() or wanted == one.user.casefold()


def _ordered(
    things: Iterable[T], view: View, values_of: Callable[[T], Mapping[str, Value]]
) -> list[T]:
    valued = [(values_of(one), one) for one in things]
    # What is equal keeps the order of names, whichever way the rest goes.
    valued.sort(key=lambda pair: _by_name(pair[0]))
    known = [pair for pair in valued if pair[0].get(view.sort) not in (None, "", ())]
    unknown = [one for values, one in valued if values.get(view.sort) in (None, "", ())]
    falls = (view.sort not in ASCENDING) is not view.is_reversed
    known.sort(key=lambda pair: _comparable(pair[0][view.sort]), reverse=falls)
    return [one for _, one in known] + unknown


def _by_name(values: Mapping[str, Value]) -> tuple[bool, tuple[bool, float, str], float]:
    pid = values.get("pid")
    name = values.get("name") or values.get("address")
    number = pid if isinstance(pid, int | float) else 0.0
    return name == DAEMON, _comparable(name), number


def _comparable(value: Value) -> tuple[bool, float, str]:
    if isinstance(value, str):
        head = value.split(" ", 1)[0]
        # Labels begin with the number of the worker: 2 goes before 10.
        return True, float(head) if head.isdecimal() else -1.0, value.casefold()
    if isinstance(value, tuple):
        return False, value[-1] if value else 0.0, ""
    return False, value or 0.0, ""
