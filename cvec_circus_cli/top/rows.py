"""A snapshot becomes rows: filtered, sorted, folded, as a tree or flat.

Rows hold values, not texts, so that they can be sorted and drawn by anyone who likes. What is not
known is None and goes last, in whichever direction is sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from cvec_circus_cli.top.facts import Process, Socket
from cvec_circus_cli.top.lines import clean
from cvec_circus_cli.top.row import Branch, Row, Sheet, Value
from cvec_circus_cli.top.snapshot import DAEMON, Group, Snapshot, total
from cvec_circus_cli.top.view import View

T = TypeVar("T")

ASCENDING = frozenset({"name", "pid", "user", "state", "nice", "fd", "address"})
"""What is read from its beginning; of all else the most comes first."""


def rows_of(snapshot: Snapshot, view: View) -> list[Row]:
    """Return the rows that a view shows of a snapshot."""
    if view.sheet is Sheet.SOCKETS:
        return list(_socket_rows(snapshot, view))
    if view.is_flat:
        return list(_flat_rows(snapshot, view))
    return list(_tree_rows(snapshot, view))


def extras_of(snapshot: Snapshot, sheet: Sheet) -> list[str]:
    """Return the names of what plugins add to the numbers, sorted."""
    names: set[str] = set()
    if sheet is Sheet.SOCKETS:
        for socket in snapshot.sockets:
            names.update(socket.extra)
    else:
        for group in snapshot.groups:
            for process in group.processes:
                names.update(process.extra)
    return sorted(names)


def _tree_rows(snapshot: Snapshot, view: View) -> Iterator[Row]:
    pattern = view.filter.casefold()
    matches = []
    for group in snapshot.groups:
        processes = [process for process in group.processes if _matches(group, process, pattern)]
        if processes or pattern in group.name.casefold():
            matches.append((group, processes))
    for group, processes in _ordered(matches, view, lambda match: _group_values(match[0], view)):
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
    for number, process in enumerate(ordered, 1):
        branch = Branch.LAST if number == len(ordered) else Branch.FORK
        yield _process_row(process, depth, branch)
        yield from _branch_rows(process.children, view, depth + 1)


def _flat_rows(snapshot: Snapshot, view: View) -> Iterator[Row]:
    pattern = view.filter.casefold()
    matches = [
        process
        for group in snapshot.groups
        for process in group.processes
        if _matches(group, process, pattern)
    ]
    for process in _ordered(matches, view, _values_by_watcher):
        row = _process_row(process, 0, Branch.NONE)
        name = clean(f"{process.watcher} {row.values['name']}")
        yield Row(row.id, {**row.values, "name": name}, row.watcher, row.pid)


def _values_by_watcher(process: Process) -> Mapping[str, Value]:
    return {**process_values(process), "name": process.watcher}


def _socket_rows(snapshot: Snapshot, view: View) -> Iterator[Row]:
    pattern = view.filter.casefold()
    most = max((socket.reads or 0.0 for socket in snapshot.sockets), default=0.0)
    matches = [
        socket
        for socket in snapshot.sockets
        if pattern in socket.address.casefold() or pattern in socket.name.casefold()
    ]
    for socket in _ordered(matches, view, socket_values):
        values = {**socket_values(socket), "share": (socket.reads or 0.0) / most if most else 0.0}
        if socket.queued is not None and socket.backlog:
            values["queue_bar"] = socket.queued / socket.backlog
        yield Row(f"socket/{socket.fd}", values)


def _process_row(process: Process, depth: int, branch: Branch) -> Row:
    identity = f"{process.watcher}/{process.pid}"
    return Row(identity, process_values(process), process.watcher, process.pid, depth, branch)


def process_values(process: Process) -> dict[str, Value]:
    """Return what is known of a process, by column."""
    label = process.label if process.wid is None else f"{process.wid} {process.label}"
    return {
        **process.extra,
        "name": clean(label),
        "pid": process.pid,
        "user": clean(process.user),
        "state": clean(process.state),
        "nice": process.nice,
        "threads": process.threads,
        "files": process.files,
        "cpu": process.cpu,
        "memory": process.memory,
        "resident": process.resident,
        "virtual": process.virtual,
        "pss": process.pss,
        "below_cpu": process.below_cpu,
        "below_resident": process.below_resident,
        "age": process.age,
        "time": process.time,
        "history": process.history,
    }


def socket_values(socket: Socket) -> dict[str, Value]:
    """Return what is known of a socket, by column."""
    return {
        **socket.extra,
        "address": clean(socket.address),
        "fd": socket.fd,
        "name": clean(socket.name),
        "reads": socket.reads,
        "queued": socket.queued,
        "backlog": socket.backlog,
        "connections": socket.connections,
        "history": socket.history,
    }


def health_text(group: Group) -> str:
    """Return how a watcher fares, in a few words: active 2/3."""
    health = group.health
    if health is None:
        return ""
    is_whole = health.running == (health.wanted if health.state == "active" else 0)
    if health.wanted is None or is_whole:
        return health.state
    return f"{health.state} {health.running}/{health.wanted}"


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


def _matches(group: Group, process: Process, pattern: str) -> bool:
    if not pattern or pattern in group.name.casefold() or str(process.pid) == pattern:
        return True
    return pattern in process.label.casefold() or pattern == process.user.casefold()


def _ordered(
    members: Iterable[T], view: View, values_of: Callable[[T], Mapping[str, Value]]
) -> list[T]:
    valued = [(values_of(member), member) for member in members]
    # What is equal keeps the order of names, whichever way the rest goes.
    valued.sort(key=lambda pair: _by_name(pair[0]))
    measured = [pair for pair in valued if pair[0].get(view.sort) not in (None, "", ())]
    unknown = [member for values, member in valued if values.get(view.sort) in (None, "", ())]
    falls = (view.sort not in ASCENDING) is not view.is_reversed
    measured.sort(key=lambda pair: _comparable(pair[0][view.sort]), reverse=falls)
    return [member for _, member in measured] + unknown


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
