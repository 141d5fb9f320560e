"""The ini dialect of configuration files.

It is a reader of its own, because the standard library's knows no line numbers, and because the
dialect has its rules (docs: reference, configuration file):

* Names of sections and options keep their case. ``=`` or ``:`` ends the name of an option.
* A line that starts in the first column with ``#``, ``;`` or the word ``rem`` is a comment; inside
  a value, ``;`` after white space begins one, even between quotes, and ``#`` does not.
* A line that starts with white space goes on with the value above, after a line break. It is taken
  as it stands, comment signs included; empty lines between do not count.
* ``""`` is the empty text, ``%`` has no meaning, and of an option given twice the first one counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cvec_circus_core.api import Problem, RawConfig, RawSection, RawValue

_HEADER = re.compile(r"\[(?P<name>[^\]]+)\](?P<rest>.*)", re.DOTALL)
_OPTION = re.compile(r"(?P<key>[^:=]*)[:=](?P<text>.*)", re.DOTALL)
_REMARK = re.compile(r"rem(\s|$)", re.IGNORECASE)
_INLINE_COMMENT = re.compile(r"(^|\s);.*", re.DOTALL)


class IniFormat:
    """Sections in brackets, and options one a line."""

    name = "ini"
    suffixes = (".ini", ".conf", ".cfg")

    def read(self, text: str, file: str) -> RawConfig:
        """Read a text; ``file`` is only named in problems. Never raises."""
        reading = _Reading(file)
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")), 1):
            reading.take(number, line)
        return reading.result()

    def write(self, sections: Mapping[str, Mapping[str, str]]) -> str:
        """Return the text of sections. Raises ValueError for what it can not say."""
        lines: list[str] = []
        for name, values in sections.items():
            lines += ["", f"[{name}]", *(_line_of(key, text) for key, text in values.items())]
        return "\n".join(lines) + "\n"


@dataclass
class _Section:
    name: str
    line: int
    values: dict[str, RawValue] = field(default_factory=dict)


class _Reading:
    """One file while it is read: which section and option the next line belongs to."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._sections: list[_Section] = []
        self._key: str | None = None
        self._lost = False
        """The line above could not be read, so what goes on with it is lost, too."""
        self._skipping = False
        """The section has no name, so its options are lost, too."""
        self._problems: list[Problem] = []
        self._warnings: list[Problem] = []

    def take(self, number: int, line: str) -> None:
        """Read the next line."""
        if not line.strip() or line[0] in "#;" or _REMARK.match(line):
            return
        if line[0].isspace():
            self._go_on(number, line.strip())
        elif line[0] == "[":
            self._open(number, line)
        else:
            self._option(number, line)

    def result(self) -> RawConfig:
        """Return what was read."""
        sections = tuple(
            RawSection(section.name, self._file, section.line, section.values)
            for section in self._sections
        )
        return RawConfig(sections, tuple(self._problems), tuple(self._warnings))

    def _open(self, number: int, line: str) -> None:
        self._key, self._lost = None, False
        header = _HEADER.fullmatch(line)
        self._skipping = header is None or not header["name"].strip()
        if header is None or self._skipping:
            self._problem(number, f"{_quoted(line)} is no section; write [NAME]")
            self._lost = True
            return
        if rest := _without_comment(header["rest"]).strip():
            self._warn(number, f"what follows the section's name is left out: {_quoted(rest)}")
        self._sections.append(_Section(header["name"].strip(), number))

    def _option(self, number: int, line: str) -> None:
        self._key, self._lost = None, True
        if self._skipping:
            return
        option = _OPTION.fullmatch(line)
        if not self._sections:
            self._problem(number, f"{_quoted(line)} stands before the first section")
        elif option is None:
            self._problem(number, f"{_quoted(line)} has no value; write NAME = VALUE")
        elif not (key := option["key"].rstrip()):
            self._problem(number, f"{_quoted(line)} has no name; write NAME = VALUE")
        else:
            self._lost = False
            text = _without_comment(option["text"])
            is_cut = text != option["text"] and bool(text.strip())
            self._store(number, key, text.strip(), is_cut)

    def _store(self, number: int, key: str, text: str, is_cut: bool) -> None:
        values = self._sections[-1].values
        if key in values:
            sentence = f"is given before, on line {values[key].line}; this one is left out"
            self._warn(number, sentence, key)
            self._lost = True
            return
        values[key] = RawValue("" if text == '""' else text, self._file, number, is_cut)
        self._key = key

    def _go_on(self, number: int, text: str) -> None:
        if self._lost:
            return
        if self._key is None:
            sentence = f"{_quoted(text)} is indented, but there is no value above to go on with"
            self._problem(number, sentence)
            return
        if text[0] in "#;[":
            sentence = "goes on with an indented line that looks like a comment or a section"
            self._warn(number, f"{sentence}: {_quoted(text)}", self._key)
        values = self._sections[-1].values
        above = values[self._key]
        values[self._key] = RawValue(f"{above.text}\n{text}", above.file, above.line, above.is_cut)

    def _problem(self, number: int, sentence: str) -> None:
        section = self._sections[-1].name if self._sections else ""
        self._problems.append(
            Problem(sentence=sentence, file=self._file, line=number, section=section)
        )

    def _warn(self, number: int, sentence: str, key: str = "") -> None:
        section = self._sections[-1].name if self._sections else ""
        self._warnings.append(
            Problem(sentence=sentence, file=self._file, line=number, section=section, key=key)
        )


def _line_of(key: str, text: str) -> str:
    if not text:
        return f'{key} = ""'
    first, *others = text.split("\n")
    line = "\n    ".join((f"{key} = {first}", *others))
    (section,) = IniFormat().read(f"[x]\n{line}\n", "").sections
    value = section.values.get(key)
    if value is None or value.text != text or value.is_cut:
        raise ValueError(f"{key} = {_quoted(text)} can not be written in this format")
    return line


def _without_comment(text: str) -> str:
    return _INLINE_COMMENT.sub("", text, count=1)


def _quoted(text: str) -> str:
    return repr(text.strip()[:40])
