"""How circusctl shows the replies to the command fleet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cvec_circus_core.api import Table, unix_time


def lines(reply: Mapping[str, Any]) -> Iterator[str]:
    """Yield plain lines, for scripts."""
    if "number" in reply and "plan" in reply:
        yield f"revision {reply['number']}"
    if "plan" in reply:
        yield from _plan_lines(reply["plan"])
    for revision in reply.get("revisions", ()):
        mark = " (in force)" if revision["current"] else ""
        yield f"{revision['number']}{mark}: {', '.join(revision['watchers'])}"
    for name, host in reply.get("hosts", {}).items():
        yield f"{name}: {_state(host)}"
    for name, watcher in reply.get("watchers", {}).items():
        shares = " ".join(
            f"{host}={row.get('ready', 0)}/{row['wanted']}"
            for host, row in watcher["hosts"].items()
        )
        yield f"{name}: {watcher['ready']}/{watcher['wanted']} {shares}".rstrip()


def tables(reply: Mapping[str, Any]) -> Sequence[Table]:
    """Return what a terminal shows."""
    if reply.get("revisions"):
        rows = [
            (
                str(revision["number"]),
                f"{max(0, unix_time() - revision['applied_at']):.0f} s ago",
                ", ".join(revision["watchers"]),
                "in force" if revision["current"] else "",
            )
            for revision in reply["revisions"]
        ]
        return (Table(("REVISION", "APPLIED", "WATCHERS", "STATE"), rows, ("REVISION",)),)
    if reply.get("hosts"):
        host_rows = [
            (
                str(name),
                _state(host),
                str(host["processes"]),
                " ".join(f"{key}:{value}" for key, value in sorted(host["labels"].items())),
                str(host.get("address", "")),
            )
            for name, host in reply["hosts"].items()
        ]
        return (Table(("HOST", "STATE", "PROCS", "LABELS", "ADDRESS"), host_rows, ("PROCS",)),)
    if reply.get("watchers"):
        return (_status_table(reply),)
    return ()


def _status_table(reply: Mapping[str, Any]) -> Table:
    rows: list[tuple[str, ...]] = []
    for name, watcher in reply["watchers"].items():
        rows.append((name, watcher["fleet"], f"{watcher['ready']}/{watcher['wanted']}"))
        for host, row in watcher["hosts"].items():
            count = f"{row.get('ready', 0)}/{row['wanted']}"
            rows.append(("", "", count, host, str(row.get("status", "")), row.get("reason", "")))
    return Table(("NAME", "FLEET", "READY", "HOST", "STATE", "REASON"), rows, ("READY",))


def _plan_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    for host, changes in plan["hosts"].items():
        moved = [
            f"{name} {change['from']} -> {change['to']}"
            for name, change in changes.items()
            if change["from"] != change["to"]
        ]
        yield f"{host}: {', '.join(moved) or 'nothing changes'}"
    if not plan["hosts"]:
        yield "no host is alive"
    for name, count in plan["unplaced"].items():
        yield f"{name}: {count} find no host"


def _state(host: Mapping[str, Any]) -> str:
    if not host["alive"]:
        return "gone, drained"
    state = "drained" if host["drained"] else "alive"
    return f"{state}, leader" if host.get("leader") else state
