"""Tables that several commands show. Loaded on a terminal alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cvec_circus_core.api import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cvec_circus_core.api import JsonValue

_PROCESS_TITLES = {
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
_NUMBERS = ("PID", "WID", "NICE", "RESIDENT", "VIRTUAL", "CPU%", "MEM%", "TIME")


def option_tables(options: Mapping[str, JsonValue] | None) -> Sequence[Table]:
    """Return a row per option."""
    if options is None:
        return ()
    return (
        Table(("OPTION", "VALUE"), [(key, _value_text(value)) for key, value in options.items()]),
    )


def process_table(infos: Mapping[str, Mapping[Any, object]]) -> Table:
    """Return a row per process, its children below it; ``infos`` are by name and pid.

    Where the name is empty, as in the reply about one process, no column has names.
    """
    rows: list[Sequence[str]] = []
    for name in sorted(infos):
        for pid, info in infos[name].items():
            if isinstance(info, dict):
                rows.extend(_family_rows(name, info))
            else:
                rows.append((name, str(pid), str(info)))
    titles = ("NAME", *_PROCESS_TITLES.values())
    if rows and not any(row[0] for row in rows):
        return Table(titles[1:], [row[1:] for row in rows], _NUMBERS)
    return Table(titles, rows, _NUMBERS)


def cell(value: object) -> str:
    """Return a value as the text of a cell; nothing for null."""
    return "" if value is None else str(value)


def _family_rows(name: str, info: Mapping[str, Any], depth: int = 0) -> list[Sequence[str]]:
    cells = [cell(info.get(key)) for key in _PROCESS_TITLES]
    rows: list[Sequence[str]] = [(f"{'  ' * depth}{name}", *cells)]
    for child in info.get("children", ()):
        rows.extend(_family_rows("└", child, depth + 1))
    return rows


def _value_text(value: JsonValue) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={_value_text(member)}" for key, member in value.items())
    if isinstance(value, list):
        return " ".join(_value_text(member) for member in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return cell(value)
