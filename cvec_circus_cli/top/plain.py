"""Snapshots as plain text or JSON, for pipes: no colours, no bars, no width."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cvec_circus_cli.top import glyphs
from cvec_circus_cli.top.columns import Column, Kind, columns_of, name_text, text_of
from cvec_circus_cli.top.facts import Process, Socket
from cvec_circus_cli.top.lines import clean, fitted, width
from cvec_circus_cli.top.row import Row, Sheet
from cvec_circus_cli.top.rows import extras_of, rows_of
from cvec_circus_cli.top.snapshot import Group, Link, Snapshot
from cvec_circus_cli.top.view import View


def text(snapshot: Snapshot, link: Link, view: View) -> str:
    """Return a snapshot as lines: a summary, the titles, the rows."""
    rows = rows_of(snapshot, view)
    columns = [
        column
        for column in columns_of(view.sheet, extras_of(snapshot, view.sheet))
        if not column.is_drawn
    ]
    table = [[column.title for column in columns]]
    table += [[_cell(column, row) for column in columns] for row in rows]
    widths = [max(width(cells[n]) for cells in table) for n in range(len(columns))]
    return "\n".join([_summary(snapshot, link), *(_line(one, columns, widths) for one in table)])


def json_text(snapshot: Snapshot, link: Link, view: View) -> str:
    """Return a snapshot as JSON on one line: what the view shows, in its order, never folded."""
    groups = {group.name: group for group in snapshot.groups}
    processes = {
        f"{process.watcher}/{process.pid}": process
        for group in groups.values()
        for process in group.processes
    }
    watchers: list[dict[str, Any]] = []
    for row in rows_of(
        snapshot, replace(view, sheet=Sheet.PROCESSES, is_flat=False, folded=frozenset())
    ):
        if row.depth == 0:
            watchers.append(_group(groups[row.watcher]))
        elif row.depth == 1:
            watchers[-1]["processes"].append(_process(processes[row.id]))
    content = {
        "time": snapshot.at,
        "endpoint": link.endpoint,
        "cpu": round(snapshot.cpu, 3),
        "memory": round(snapshot.memory, 3),
        "watchers": watchers,
        "sockets": [_socket(socket) for socket in snapshot.sockets],
    }
    return json.dumps(content)


def _summary(snapshot: Snapshot, link: Link) -> str:
    when = datetime.fromtimestamp(snapshot.at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return (
        f"circus-top {when} {clean(link.endpoint)} watchers {snapshot.watchers} "
        f"processes {snapshot.processes} cpu {snapshot.cpu:.1f}% mem {snapshot.memory:.1f}%"
    )


def _cell(column: Column, row: Row) -> str:
    if column.kind is Kind.NAME:
        before, name = name_text(row, glyphs.ASCII)
        return "  " * row.depth + name if before else name
    value = row.values.get(column.of)
    return "-" if value in (None, "") else clean(text_of(column, value))


def _line(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    return "  ".join(
        fitted(cell, room, right=column.kind not in (Kind.NAME, Kind.TEXT))
        for cell, column, room in zip(cells, columns, widths, strict=True)
    ).rstrip()


def _group(group: Group) -> dict[str, Any]:
    health = group.health
    return {
        "name": group.name,
        "state": health.state if health else None,
        "running": health.running if health else None,
        "wanted": health.wanted if health else None,
        "restarts": health.restarts if health else None,
        "cpu": _rounded(group.cpu),
        "cpu_mean": _rounded(group.mean),
        "memory": _rounded(group.memory),
        "resident": group.resident,
        "age": group.age,
        "time": group.time,
        "processes": [],
    }


def _process(one: Process) -> dict[str, Any]:
    return {
        "pid": one.pid,
        "wid": one.wid,
        "name": one.label,
        "user": one.user or None,
        "state": one.state or None,
        "nice": one.nice,
        "threads": one.threads,
        "files": one.files,
        "cpu": _rounded(one.cpu),
        "memory": one.memory,
        "resident": one.resident,
        "virtual": one.virtual,
        "pss": one.pss,
        "children_cpu": _rounded(one.below_cpu),
        "children_resident": one.below_resident,
        "age": one.age,
        "time": one.time,
        "extra": dict(one.extra),
        "children": [_process(child) for child in one.children],
    }


def _socket(one: Socket) -> dict[str, Any]:
    return {
        "fd": one.fd,
        "name": one.name or None,
        "address": one.address,
        "reads": one.reads,
        "queued": one.queued,
        "backlog": one.backlog,
        "connections": one.connections,
        "extra": dict(one.extra),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
