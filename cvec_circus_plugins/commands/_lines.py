"""How options and information about processes are printed, plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cvec_circus_core.api import JsonValue

_COLUMNS = ("cmdline", "username", "nice", "mem_info1", "mem_info2", "cpu", "mem", "ctime")


def option_lines(options: Mapping[str, JsonValue]) -> str:
    """Return ``key: value`` lines."""
    return "\n".join(f"{key}: {value_text(value)}" for key, value in options.items())


def value_text(value: JsonValue) -> str:
    """Return a value as one line: pairs with commas, lists with blanks, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ",".join(f"{key}={value_text(member)}" for key, member in value.items())
    if isinstance(value, list | tuple):
        return " ".join(value_text(member) for member in value)
    return str(value)


def info_line(info: object) -> str:
    """Return one line about a process; a text instead of information is that line.

    What other packages add stands at the end.
    """
    if not isinstance(info, dict):
        return str(info)
    cells = [str(info.get(key, "N/A")) for key in _COLUMNS]
    cells += [f"{key}={value_text(value)}" for key, value in info.get("extra", {}).items()]
    return f"{info.get('pid', 'N/A')}  {' '.join(cells)}"


def process_lines(pid: object, info: object) -> Iterator[str]:
    """Yield the line of a process, and the lines of its children below it."""
    yield f"{pid}: {info_line(info)}"
    yield from _children_lines(info, "   ")


def _children_lines(info: object, indent: str) -> Iterator[str]:
    children: list[Any] = info.get("children", []) if isinstance(info, dict) else []
    for child in children:
        yield f"{indent}{info_line(child)}"
        yield from _children_lines(child, f"{indent}   ")
