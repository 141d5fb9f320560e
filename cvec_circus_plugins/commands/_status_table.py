"""The table of status: a row per watcher in 80 columns, and what is wrong below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core import api
from cvec_circus_core.api import Table
from cvec_circus_plugins.commands._exits import exit_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TITLES = ("NAME", "STATE", "PROCS", "PID", "UPTIME", "MEMORY", "RESTARTS", "LAST EXIT")
_NUMBERS = ("PROCS", "UPTIME", "MEMORY", "RESTARTS")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def status_table(
    details: Mapping[str, Mapping[str, Any]], threads: Sequence[Mapping[str, Any]] = ()
) -> Table:
    """Return the table of these watchers, by name, and of plugins without a process."""
    lines = [(name, _watcher_row(name, health), _note(health)) for name, health in details.items()]
    for plugin in threads:
        name = f"plugin:{plugin['name']}"
        row = (name, str(plugin["state"]), "", "thread")
        lines.append((name, row, plugin["reason"] or ""))
    lines.sort(key=lambda line: line[0])
    notes = {number: note for number, (_, _, note) in enumerate(lines)}
    return Table(TITLES, [row for _, row, _ in lines], _NUMBERS, notes)


def _watcher_row(name: str, health: Mapping[str, Any]) -> tuple[str, ...]:
    death = health.get("last_death")
    return (
        name,
        shown_state(health),
        f"{health['running']}/{health.get('numprocesses', health['wanted'])}",
        pids_text(health.get("pids", ())),
        age_text(health.get("age")),
        size_text(health.get("rss")),
        str(health["restarts"]),
        "" if death is None else exit_text(death),
    )


def shown_state(health: Mapping[str, Any]) -> str:
    """Return the state, told apart where the daemon's four words are too few."""
    state = str(health["state"])
    if health.get("completed"):
        return "completed"
    if state == "stopped" and health["reason"]:
        return "waiting" if health["reason"] == api.WAITS_FOR_CONNECTION else "failed"
    if state in ("active", "starting") and health["retry_in"] is not None:
        return "retrying" if health["running"] == 0 else "degraded"
    if state == "active" and health["running"] < health["wanted"]:
        return "degraded"
    return state


def pids_text(pids: Sequence[int]) -> str:
    """Return the first pid, and how many more there are."""
    if not pids:
        return ""
    return f"{pids[0]}+{len(pids) - 1}" if len(pids) > 1 else str(pids[0])


def age_text(seconds: float | None) -> str:
    """Return a time span in its two greatest units."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR:02}h"


def size_text(size: float | None) -> str:
    """Return an amount of bytes in at most five characters."""
    if size is None:
        return ""
    for unit in ("B", "K", "M", "G"):
        if size < 999.5:
            return f"{size:.0f}{unit}" if unit == "B" or size >= 99.95 else f"{size:.1f}{unit}"
        size /= 1024
    return f"{size:.1f}T"


def _note(health: Mapping[str, Any]) -> str:
    parts = [health["reason"]] if health["reason"] else []
    ready = health.get("ready", health["running"])
    if ready < health["running"]:
        parts.append(f"{ready} of {health['running']} ready")
    parts += [f"{pid} says: {text}" for pid, text in health.get("said", {}).items()]
    if health["retry_in"] is not None:
        parts.append(f"next try in {health['retry_in']:.1f} s")
    return "; ".join(parts)
