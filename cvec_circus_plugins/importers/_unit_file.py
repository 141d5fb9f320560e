"""A unit file of systemd: sections whose keys may come again and again, and know their line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cvec_circus_core.api import ImportProblem, SourceLine

_LINE = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*)", re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[0-7]{3}|.)", re.DOTALL)
_PIECE = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?:[^\s"'\\]|\\.)+)""", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "s": " ", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One line: a key and its value."""

    key: str
    value: str
    origin: SourceLine


@dataclass(slots=True)
class UnitFile:
    """The settings of each section in their order."""

    path: str
    sections: dict[str, list[Setting]] = field(default_factory=dict)

    def all(self, section: str, key: str) -> list[Setting]:
        """Return all values of a key; an empty one takes back those before it."""
        settings: list[Setting] = []
        for setting in self.sections.get(section, []):
            if setting.key == key:
                settings = [*settings, setting] if setting.value else []
        return settings

    def extend(self, drop_in: UnitFile) -> None:
        """Add the settings of a file that changes this one."""
        for section, settings in drop_in.sections.items():
            self.sections.setdefault(section, []).extend(settings)

    def last(self, section: str, key: str) -> Setting | None:
        """Return the last value of a key, which is the one that counts."""
        return next(reversed(self.all(section, key)), None)

    def text(self, section: str, key: str, default: str = "") -> str:
        """Return the last value of a key."""
        setting = self.last(section, key)
        return default if setting is None else setting.value


def open_unit(path: str) -> UnitFile:
    """Read a unit file that another one brings. Raises `ImportProblem`."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ImportProblem(f"can not be read: {error}", SourceLine(path)) from None
    return read_unit(path, text)


def read_unit(path: str, text: str) -> UnitFile:
    """Read a unit file. Raises `ImportProblem`."""
    unit = UnitFile(path)
    settings: list[Setting] | None = None
    lines = iter(enumerate(text.replace("\r\n", "\n").split("\n"), 1))
    for number, first in lines:
        line = first.strip()
        if not line or line[0] in "#;":
            continue
        while line.endswith("\\"):
            line = f"{line[:-1]} {_next_line(lines)}"
        line = line.strip()
        if line[0] == "[" and line[-1] == "]":
            settings = unit.sections.setdefault(line[1:-1], [])
            continue
        match = _LINE.fullmatch(line)
        if match is None or settings is None:
            reason = (
                "is no Key=Value" if settings is not None else "stands before the first [Section]"
            )
            raise ImportProblem(f"{line!r} {reason}", SourceLine(path, number))
        key, value = match.groups()
        settings.append(Setting(key, value, SourceLine(path, number, key)))
    return unit


def _next_line(lines: enumerate[str]) -> str:
    for _, line in lines:
        # Comments between are left out.
        if line.strip()[:1] not in ("#", ";"):
            return line.strip()
    return ""


def unit_words(setting: Setting) -> list[str]:
    """Split a value as systemd does: quotes stand around whole words. Raises `ImportProblem`."""
    return [word for words in unit_commands(setting) for word in words]


def unit_commands(setting: Setting) -> list[list[str]]:
    """Split a value into commands, between which a lone semicolon stands, and those into words.

    Raises `ImportProblem`.
    """
    commands: list[list[str]] = [[]]
    at = 0
    text = setting.value.rstrip()
    joined = False
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            raise ImportProblem("has a quote that is not closed", setting.origin)
        piece = match[1]
        is_joined = joined and match.start(1) == at
        at, joined = match.end(), True
        if piece == ";" and not is_joined:
            commands.append([])
            continue
        if piece[0] in "\"'":
            piece = piece[1:-1]
        piece = _ESCAPE.sub(_letter, piece)
        if is_joined:
            commands[-1][-1] += piece
        else:
            commands[-1].append(piece)
    return [words for words in commands if words]


def _letter(match: re.Match[str]) -> str:
    escape = match[1]
    if escape[0] == "x" and len(escape) > 1:
        return chr(int(escape[1:], 16))
    if escape.isdecimal() and len(escape) > 1:
        return chr(int(escape, 8))
    return _LETTERS.get(escape, escape)
