"""A supervisord.conf, and what it includes, as sections whose options know their line."""

from __future__ import annotations

import glob
import os
import re
import socket
from collections.abc import Mapping
from configparser import Error, MissingSectionHeaderError, ParsingError, RawConfigParser
from dataclasses import dataclass, field

from cvec_circus_core.api import ImportProblem, SourceLine, literal

TRUE = ("1", "true", "yes", "on", "t", "y")
FALSE = ("0", "false", "no", "off", "f", "n")
NO_VALUES: Mapping[str, object] = {}
_HEADER = re.compile(r"\[([^\]]+)\]")
_OPTION = re.compile(r"([^\s:=;#][^:=]*?)\s*[:=]")
_EXPANSION = re.compile(r"%\(ENV_(\w+)\)[sd]")


@dataclass(slots=True)
class SupervisorSection:
    """A section: its options, and where each of them stands."""

    name: str
    file: str
    line: int
    options: dict[str, str] = field(default_factory=dict)
    origins: dict[str, SourceLine] = field(default_factory=dict)

    def origin(self, key: str = "") -> SourceLine:
        """Return where an option stands, or the section."""
        return self.origins.get(key) or SourceLine(self.file, self.line, f"[{self.name}]")

    def expanded(
        self, key: str, values: Mapping[str, object] = NO_VALUES, default: str = ""
    ) -> str:
        """Return an option with its %(…)s replaced. Raises `ImportProblem`."""
        return self._expand(self.options.get(key, default), key, values)

    def variable_text(self, key: str, values: Mapping[str, object]) -> str:
        """Return an option that holds variables: what it says literally stays so with us."""
        return self._expand(literal(self.options.get(key, "")), key, values)

    def integer(self, key: str, default: int, values: Mapping[str, object]) -> int:
        """Return an option that is a whole number. Raises `ImportProblem`."""
        text = self.expanded(key, values, str(default))
        if not text.strip().isdecimal():
            raise ImportProblem(f"is no whole number: {text!r}", self.origin(key))
        return int(text)

    def boolean(self, key: str) -> bool:
        """Return an option that is true or false. Raises `ImportProblem`."""
        word = self.expanded(key).lower()
        if word not in (*TRUE, *FALSE):
            raise ImportProblem(f"is neither true nor false: {word!r}", self.origin(key))
        return word in TRUE

    def _expand(self, text: str, key: str, values: Mapping[str, object]) -> str:
        text = _EXPANSION.sub(r"$(circus.env.\1)", text)
        here = os.path.dirname(os.path.abspath(self.file))
        expansions = {"here": here, "host_node_name": socket.gethostname(), **values}
        try:
            return text % expansions if "%" in text else text
        except KeyError as error:
            sentence = f"has %({error.args[0]}), which stands for nothing here"
        except (ValueError, TypeError) as error:
            sentence = f"can not be expanded: {error}"
        raise ImportProblem(sentence, self.origin(key))


def read_sections(path: str, text: str) -> dict[str, SupervisorSection]:
    """Read a file and those that it includes. Raises `ImportProblem`."""
    sections = _sections(path, text)
    include = sections.pop("include", None)
    if include is None:
        return sections
    for pattern in include.expanded("files").split():
        folder = os.path.dirname(os.path.abspath(path))
        for file in sorted(glob.glob(os.path.join(folder, os.path.expanduser(pattern)))):
            try:
                with open(file, encoding="utf-8") as included:
                    more = _sections(file, included.read())
            except (OSError, UnicodeDecodeError) as error:
                origin = include.origin("files")
                raise ImportProblem(
                    f"names {file}, which can not be read: {error}", origin
                ) from None
            for name, section in more.items():
                present = sections.setdefault(name, section)
                if present is not section:
                    present.options.update(section.options)
                    present.origins.update(section.origins)
    return sections


def _sections(path: str, text: str) -> dict[str, SupervisorSection]:
    parser = RawConfigParser(strict=False, inline_comment_prefixes=(";", "#"))
    try:
        parser.read_string(text, path)
    except MissingSectionHeaderError as error:
        sentence = f"{error.line.strip()!r} stands before the first [section]"
        raise ImportProblem(sentence, SourceLine(path, error.lineno)) from None
    except ParsingError as error:
        line, text = error.errors[0]
        sentence = f"{text} is neither a [section] nor an option"
        raise ImportProblem(sentence, SourceLine(path, line)) from None
    except Error as error:
        raise ImportProblem(" ".join(str(error).split()), SourceLine(path)) from None
    lines = _lines(text)
    sections = {}
    for name in parser.sections():
        section = SupervisorSection(name, path, lines.get((name, ""), 1))
        for key, value in parser.items(name):
            section.options[key] = value or ""
            section.origins[key] = SourceLine(path, lines.get((name, key)), f"[{name}] {key}")
        sections[name] = section
    return sections


def _lines(text: str) -> dict[tuple[str, str], int]:
    """Return on which line each option stands; the parser does not tell."""
    lines: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if header := _HEADER.match(line):
            section = header[1]
            lines.setdefault((section, ""), number)
        elif option := _OPTION.match(line):
            lines[section, option[1].lower()] = number
    return lines
