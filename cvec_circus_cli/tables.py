"""Tables for people, where standard output is a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

RESET = "\x1b[0m"
BOLD = "\x1b[1m"
COLOURS = {
    "active": "\x1b[32m",
    "starting": "\x1b[33m",
    "stopping": "\x1b[33m",
    "stopped": "\x1b[31m",
}
PROCESS_COLUMNS = {
    "pid": "PID",
    "wid": "WID",
    "cmdline": "COMMAND",
    "username": "USER",
    "nice": "NICE",
    "mem_info1": "RESIDENT",
    "mem_info2": "VIRTUAL",
    "cpu": "CPU%",
    "mem": "MEM%",
    "ctime": "TIME",
}
NUMBERS = frozenset(
    {"FD", "BACKLOG", "PID", "WID", "NICE", "RESIDENT", "VIRTUAL", "CPU%", "MEM%", "TIME"}
)


def table(command: str, reply: Mapping[str, Any], *, colours: bool) -> str | None:
    """Return the table for a reply of this command, or None where plain lines serve better."""
    make = _TABLES.get(command)
    made = make(reply) if make else None
    if made is None:
        return None
    tables = made if isinstance(made, tuple) else (made,)
    return "\n\n".join(_aligned(one[0], one[1:], colours=colours) for one in tables)


JOINED = frozenset({"status", "stats"})
"""Commands whose replies about several watchers are one table."""


def joined(command: str, replies: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return one reply for all of these; None where they do not have what the table shows."""
    if command == "stats":
        return {"infos": {name: _infos(one) for name, one in replies.items()}}
    if any("details" not in reply for reply in replies.values()):
        return None
    return {
        "details": {key: it for reply in replies.values() for key, it in reply["details"].items()}
    }


def _infos(reply: Mapping[str, Any]) -> Mapping[Any, Any]:
    infos: Mapping[Any, Any] = reply["info"]
    return {reply["process"]: infos} if "process" in reply else infos


def coloured_json(text: str) -> str:
    """Return indented JSON in colours: keys bold, texts green, numbers and words yellow."""
    return _JSON_TOKEN.sub(_coloured_token, text)


_JSON_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<plain>-?\d[\d.eE+-]*|true|false|null)'
)
_TOKEN_COLOURS = {"key": BOLD, "text": COLOURS["active"], "plain": COLOURS["starting"]}


def _coloured_token(found: re.Match[str]) -> str:
    return f"{_TOKEN_COLOURS[found.lastgroup or 'plain']}{found.group()}{RESET}"


Rows = list[Sequence[str]]


def _status(reply: Mapping[str, Any]) -> Rows | None:
    if "details" in reply:
        rows: Rows = [("NAME", "STATE", "RUNNING", "RESTARTS", "LAST EXIT", "REASON")]
        for name, said in sorted(reply["details"].items()):
            rows.append(
                (
                    name,
                    said["state"],
                    f"{said['running']}/{said['wanted']}",
                    str(said["restarts"]),
                    _or_nothing(said["last_exit"]),
                    _reason(said),
                )
            )
        return rows
    if "statuses" in reply:
        return [("NAME", "STATE"), *sorted(reply["statuses"].items())]
    return None


def _reason(said: Mapping[str, Any]) -> str:
    pause = said["retry_in"]
    again = "" if pause is None else f"next try in {pause:.1f} s"
    return "; ".join(part for part in (said["reason"], again) if part)


def _list(reply: Mapping[str, Any]) -> Rows | None:
    if "pids" in reply and "processes" in reply:
        pairs = zip(reply["processes"], reply["pids"], strict=True)
        return [("WID", "PID"), *((str(wid), str(pid)) for wid, pid in pairs)]
    if "watchers" in reply:
        return [("NAME",), *((name,) for name in reply["watchers"])]
    return None


def _options(reply: Mapping[str, Any]) -> Rows | None:
    if "options" not in reply:
        return None
    return [("OPTION", "VALUE"), *((key, _value(one)) for key, one in reply["options"].items())]


def _stats(reply: Mapping[str, Any]) -> Rows | None:
    if "process" in reply:
        infos = {"": {reply["process"]: reply["info"]}}
    elif "infos" in reply:
        infos = reply["infos"]
    else:
        infos = {reply.get("name", ""): reply["info"]}
    rows: Rows = [("NAME", *PROCESS_COLUMNS.values())]
    for name in sorted(infos):
        for pid, info in infos[name].items():
            if isinstance(info, dict):
                rows.extend(_with_children(name, info))
            else:
                rows.append((name, str(pid), str(info)))
    return rows


def _with_children(name: str, info: Mapping[str, Any], depth: int = 0) -> Rows:
    cells = [_or_nothing(info.get(key)) for key in PROCESS_COLUMNS]
    rows: Rows = [(f"{'  ' * depth}{name}", *cells)]
    for child in info.get("children", ()):
        rows.extend(_with_children("└", child, depth + 1))
    return rows


def _dstats(reply: Mapping[str, Any]) -> Rows | None:
    info = reply["info"]
    if not isinstance(info, dict):
        return None
    return [("NAME", *PROCESS_COLUMNS.values()), *_with_children("circusd", info)]


def _processes(reply: Mapping[str, Any]) -> Rows | None:
    if "watchers" not in reply:
        return None
    rows: Rows = [("NAME", "WID", "PID")]
    for name, processes in sorted(reply["watchers"].items()):
        rows.extend((name, str(wid), pid) for pid, wid in processes.items())
        if not processes:
            rows.append((name,))
    return rows


def _sockets(reply: Mapping[str, Any]) -> Rows | None:
    rows: Rows = [("FD", "NAME", "ADDRESS", "BACKLOG")]
    for one in reply["sockets"]:
        where = one["path"] if "path" in one else f"{one['host']}:{one['port']}"
        rows.append((str(one["fd"]), one["name"], where, _or_nothing(one.get("backlog"))))
    return rows if len(rows) > 1 else None


def _plugins(reply: Mapping[str, Any]) -> tuple[Rows, ...] | None:
    running: Rows = [("RUNNING", "USE", "HOST", "STATE", "REASON")]
    for one in reply["running"]:
        running.append(_cells(one, "name", "use", "host", "state", "reason"))
    installed: Rows = [("GROUP", "NAME", "DISTRIBUTION", "VERSION", "STATE", "REASON")]
    for one in reply["installed"]:
        keys = ("group", "name", "distribution", "version", "state", "reason")
        installed.append(_cells(one, *keys))
    return tuple(one for one in (running, installed) if len(one) > 1) or None


def _cells(of: Mapping[str, Any], *keys: str) -> Sequence[str]:
    return [_or_nothing(of[key]) for key in keys]


_TABLES: Mapping[str, Callable[[Mapping[str, Any]], Rows | tuple[Rows, ...] | None]] = {
    "status": _status,
    "list": _list,
    "stats": _stats,
    "options": _options,
    "get": _options,
    "globaloptions": _options,
    "dstats": _dstats,
    "processes": _processes,
    "listsockets": _sockets,
    "plugins": _plugins,
}


def _or_nothing(value: Any) -> str:
    return "" if value is None else str(value)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_value(one)}" for key, one in value.items())
    if isinstance(value, list):
        return " ".join(_value(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _or_nothing(value)


def _aligned(title: Sequence[str], rows: Rows, *, colours: bool) -> str:
    widths = [
        max((len(row[column]) for row in (title, *rows) if column < len(row)), default=0)
        for column in range(len(title))
    ]
    lines = [_line(title, title, widths)]
    if colours:
        lines[0] = f"{BOLD}{lines[0]}{RESET}"
    for row in rows:
        line = _line(row, title, widths)
        lines.append(_coloured(line, row) if colours else line)
    return "\n".join(lines)


def _line(row: Sequence[str], title: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        f"{cell:>{width}}" if name in NUMBERS else f"{cell:<{width}}"
        for cell, name, width in zip(row, title, widths, strict=False)
    ]
    return "  ".join(cells).rstrip()


def _coloured(line: str, row: Sequence[str]) -> str:
    for state, colour in COLOURS.items():
        if len(row) > 1 and row[1] == state:
            head, _, tail = line[len(row[0]) :].partition(state)
            return f"{row[0]}{head}{colour}{state}{RESET}{tail}"
    return line
