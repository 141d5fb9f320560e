"""The pages of docs/ and the README as blocks of samples."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"

_DIRECTIVE = re.compile(r"(?P<indent> *)\.\. (code-block|literalinclude):: *(?P<word>\S+)")
_MARKDOWN = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One sample on a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Name the place."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Return all pages."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.rst"))]


def blocks() -> list[Block]:
    """Return the samples of all pages."""
    return [block for page in pages() for block in _blocks(page)]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        for match in _MARKDOWN.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            yield Block(page, line, match[1], match[2])
        return
    rows = text.splitlines()
    for number, row in enumerate(rows):
        directive = _DIRECTIVE.match(row)
        if directive and directive[2] == "code-block":
            indent = len(directive["indent"])
            yield Block(page, number + 1, directive["word"], _indented(rows[number + 1 :], indent))
        elif row.rstrip().endswith("::") and not row.lstrip().startswith(".."):
            indent = len(row) - len(row.lstrip())
            yield Block(page, number + 1, "none", _indented(rows[number + 1 :], indent))


def _indented(lines: list[str], indent: int) -> str:
    taken = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        taken.append(line)
    text = textwrap.dedent("\n".join(taken))
    return re.sub(r"\A(\s*:\w+:.*\n)+", "", text).strip("\n") + "\n"
