"""What a file says before anybody knows what it means: sections of texts, with file and line.

Formats make these (`Format`), the rest of this room reads them. A mistake never stops the reading:
it becomes a `Problem`, and all problems are told together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

from cvec_circus_core.model.values import Struct, field

_LONGEST_VALUE = 60


class RawValue(Struct, frozen=True):
    """The text of one option, and where it stands."""

    text: str
    file: str = ""
    line: int = 0
    is_cut: bool = False
    """Whether a comment stood behind the text, on one of its lines."""


class RawSection(Struct, frozen=True):
    """One section: its whole name, such as ``watcher:web``, and its options in order."""

    name: str
    file: str = ""
    line: int = 0
    values: Mapping[str, RawValue] = field(default_factory=dict)


class Problem(Struct, frozen=True, kw_only=True):
    """One mistake, or one thing worth a warning, and where it stands.

    ``sentence`` continues what stands before it, in lower case and without full stop.
    """

    sentence: str
    file: str = ""
    line: int = 0
    section: str = ""
    key: str = ""
    value: str | None = None
    allowed: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = " ".join(filter(None, (self.section and f"[{self.section}]", self.key)))
        if self.value is not None:
            subject += f" = {_on_one_line(self.value)}"
        repeats = not self.allowed or self.sentence.endswith(f" {self.allowed}")
        sentence = self.sentence if repeats else f"{self.sentence} (allowed: {self.allowed})"
        return _printable(": ".join(filter(None, (place, subject, sentence))))


class RawConfig(Struct, frozen=True):
    """What was read, from one file or from several, and what could not be."""

    sections: tuple[RawSection, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    is_whole: bool = True
    """Whether it has a text whose last line has an end, as it has not in the middle of a save."""

    def section(self, name: str) -> RawSection:
        """Return the section of this name, an empty one where there is none."""
        return next(
            (section for section in self.sections if section.name == name), RawSection(name)
        )


class Format(Protocol):
    """A way to write configuration files, found by entry point ``cvec_circus.formats``."""

    @property
    def name(self) -> str:
        """What it is called, such as ``ini``."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How the names of its files end, dot included."""

    def read(self, text: str, file: str) -> RawConfig:
        """Read a text; ``file`` is only named in problems. Never raises."""


@runtime_checkable
class WritableFormat(Format, Protocol):
    """A format in which a configuration can be written, too."""

    def write(self, sections: Mapping[str, Mapping[str, str]]) -> str:
        """Return the text of sections. Raises ValueError for what it can not say."""


def merged(sections: Iterable[RawSection]) -> tuple[RawSection, ...]:
    """Return sections of one name as one, in which the value that was read first wins."""
    by_name: dict[str, RawSection] = {}
    for section in sections:
        first = by_name.get(section.name, section)
        by_name[section.name] = RawSection(
            section.name, first.file, first.line, {**section.values, **first.values}
        )
    return tuple(by_name.values())


def _on_one_line(text: str) -> str:
    line = _printable(" ".join(text.split())) or '""'
    return line if len(line) <= _LONGEST_VALUE else f"{line[: _LONGEST_VALUE - 1]}…"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
