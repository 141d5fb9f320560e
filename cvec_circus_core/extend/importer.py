"""What an importer is: it reads the configuration of another tool as sections of ours.

It is found by entry point, group ``cvec_circus.importers``. It writes no ini text: circusctl does,
for all importers, with a comment at each thing that could not be carried over.

Values are those of our own files: ``$(circus.env.NAME)`` is a variable in any of them, and in
``env`` a literal ``$`` is ``$$`` (see `literal`).
"""

from __future__ import annotations

import os.path
import re
from dataclasses import dataclass, field
from typing import Protocol

from cvec_circus_core.model.names import name_key

IMPORTERS = "cvec_circus.importers"

_NOT_IN_A_NAME = re.compile(r"[^\w.@+-]+")
_NAME_OF_A_VARIABLE = re.compile(r"[\w.%-]+")


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A place in a file that was read."""

    file: str
    line: int | None = None
    key: str = ""

    def __str__(self) -> str:
        """Return it as the beginning of a sentence."""
        where = os.path.basename(self.file)
        where += f", line {self.line}" if self.line else ""
        return f"{where}: {self.key}" if self.key else where


class ImportProblem(ValueError):
    """A file can not be imported; the text says where and why."""

    def __init__(self, sentence: str, origin: SourceLine | None = None) -> None:
        where = f"{origin.file}, line {origin.line}" if origin and origin.line else ""
        where = where or (origin.file if origin else "")
        key = f"{origin.key} " if origin and origin.key else ""
        super().__init__(f"{where}: {key}{sentence}" if where else sentence)


@dataclass(frozen=True, slots=True)
class Loss:
    """Something that could not be carried over, and what there is instead."""

    origin: SourceLine
    sentence: str

    def __str__(self) -> str:
        """Return it as one line."""
        return " ".join(f"{self.origin}: {self.sentence}".split())


@dataclass(slots=True)
class ImportedSection:
    """One section: a watcher, a socket, a plugin, or the daemon itself."""

    kind: str
    name: str = ""
    options: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    """The variables of a watcher, or of all where it is the daemon's section."""
    comments: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    def lose(self, origin: SourceLine, sentence: str) -> None:
        """Remember what could not be carried over."""
        self.losses.append(Loss(origin, sentence))

    def set_variable(self, name: str, value: str, origin: SourceLine) -> None:
        """Give the processes a variable, if it can be named in an ini file."""
        if not _NAME_OF_A_VARIABLE.fullmatch(name):
            self.lose(origin, f"no variable of an ini file can be named {name!r}")
        elif "\0" in value:
            self.lose(origin, f"the variable {name} holds a NUL character")
        else:
            self.env[name] = value


@dataclass(slots=True)
class Imported:
    """What was read: the sections, and every file that had a part in it."""

    daemon: ImportedSection = field(default_factory=lambda: ImportedSection("circus"))
    sections: list[ImportedSection] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def watchers(self) -> list[ImportedSection]:
        """The sections of watchers."""
        return [section for section in self.sections if section.kind == "watcher"]

    @property
    def losses(self) -> list[Loss]:
        """Everything that could not be carried over."""
        sections = (self.daemon, *self.sections)
        return [loss for section in sections for loss in section.losses]

    def add(self, kind: str, name: str) -> ImportedSection:
        """Add a section under this name, or the one nearest to it that a section may have."""
        usable = _NOT_IN_A_NAME.sub("-", name).strip("-") or kind
        present = {name_key(section.name) for section in self.sections if section.kind == kind}
        unique, number = usable, 2
        while name_key(unique) in present:
            unique, number = f"{usable}-{number}", number + 1
        section = ImportedSection(kind, unique)
        if unique != name:
            section.comments.append(" ".join(f"was named {name!r}".split()))
        self.sections.append(section)
        return section


class Importer(Protocol):
    """Reads the files of one tool."""

    name: str
    """What --kind says."""
    summary: str
    """What the files are called, for people."""

    def recognizes(self, path: str, text: str) -> bool:
        """Tell whether a file is one of this tool, by its name or what it says."""

    def read(self, path: str, text: str) -> Imported:
        """Read a file, and those that it names. Raises `ImportProblem`."""


def literal(text: str) -> str:
    """Return a text as the value of an env section that means just this text."""
    return text.replace("$", "$$")
