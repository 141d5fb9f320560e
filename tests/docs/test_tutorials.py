"""The pages for newcomers, command by command: what they show is what a terminal shows.

A code block with a caption is a file. In what a page shows, a number stands for any number, spaces
for any number of spaces, and an ellipsis for anything.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.docs.pages import DOCS

pexpect: Any = import_module("pexpect")  # it has no types
COLUMNS, LIMIT = 80, 60.0
pytestmark = pytest.mark.live

_BLOCK = re.compile(
    r"^\.\. code-block:: (?P<language>\w+)\n(?:   :caption: (?P<caption>\S+)\n)?"
    r"(?P<text>(?:\n|   .*\n)+)",
    re.MULTILINE,
)


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="tut") as short:
        yield Path(short)


def environment(folder: Path) -> dict[str, str]:
    """Return what a newcomer's shell has, but for the endpoint."""
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', os.defpath)}"
    return {
        "PATH": path,
        "HOME": str(folder),
        "CIRCUSCTL_ENDPOINT": f"ipc://{folder}/c",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "LANG": "C.UTF-8",
    }


def steps(page: str) -> Iterator[tuple[str, str, str]]:
    """Yield what the page has the reader do: a kind, a file or a command, and a text."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        body = "\n".join(line[3:] for line in match["text"].splitlines()).strip("\n")
        if match["caption"]:
            yield "file", match["caption"], body + "\n"
        elif match["language"] == "console":
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                yield "command", command, shown.strip("\n")


def as_pattern(shown: str) -> str:
    """Return what a page shows as a pattern."""
    parts = re.split(r"(\d+(?:\.\d+)?|…| +)", shown)
    named = {"…": "(?s:.*)"} | dict.fromkeys((part for part in parts if not part.strip(" ")), " +")
    return "".join(
        named.get(part, r"\d+(?:\.\d+)?") if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )


def write(folder: Path, name: str, text: str) -> None:
    """Write a file of the reader's; a configuration gets endpoints of its own at its end."""
    if name.endswith(".ini"):
        text += f"\n[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
    (folder / name).write_text(text, encoding="utf-8")


def typed(command: str, folder: Path) -> str:
    """Return what a terminal shows of a command."""
    output = pexpect.run(
        f"/bin/sh -c {shlex.quote(command)}",
        timeout=LIMIT,
        cwd=str(folder),
        env=environment(folder),
        encoding="utf-8",
        dimensions=(40, COLUMNS),
    )
    return "\n".join(line.rstrip() for line in output.splitlines()).strip("\n")


@pytest.mark.parametrize("page", ["tutorial-own-program.rst"])
def test_what_a_page_shows_is_what_comes(page: str, folder: Path) -> None:
    try:
        for kind, name, text in steps(page):
            if kind == "file":
                write(folder, name, text)
                continue
            deadline = time.monotonic() + LIMIT
            output = typed(name, folder)
            while not re.fullmatch(as_pattern(text), output):
                # A reader looks again, too, at what changes by itself.
                is_look = name.startswith("circusctl status") and time.monotonic() < deadline
                assert is_look, f"$ {name}\n{output}\n-- not --\n{text}"
                output = typed(name, folder)
    finally:
        subprocess.run(
            ["circusctl", "quit"], env=environment(folder), capture_output=True, timeout=60
        )
