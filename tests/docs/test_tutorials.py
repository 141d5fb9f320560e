"""The pages for newcomers, command by command: what they show is what comes.

A code block with a caption is a file. In what a page shows, a number stands for any number, and an
ellipsis for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.docs.pages import DOCS

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
    return {"PATH": path, "HOME": str(folder), "CIRCUSCTL_ENDPOINT": f"ipc://{folder}/c"}


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
    parts = re.split(r"(\d+(?:\.\d+)?|…)", shown)
    named = {"…": "(?s:.*)"}
    return "".join(
        named.get(part, r"\d+(?:\.\d+)?") if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )


def write(folder: Path, name: str, text: str) -> None:
    """Write a file of the reader's; a configuration gets endpoints of its own at its end."""
    if name.endswith(".ini"):
        text += f"\n[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
    (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("page", ["tutorial-own-program.rst"])
def test_what_a_page_shows_is_what_comes(page: str, folder: Path) -> None:
    env = environment(folder)
    try:
        for kind, what, text in steps(page):
            if kind == "file":
                write(folder, what, text)
                continue
            done = subprocess.run(
                ["/bin/sh", "-c", what],
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=100,
            )
            came = done.stdout.strip("\n")
            assert re.fullmatch(as_pattern(text), came), f"$ {what}\n{came}\n-- not --\n{text}"
    finally:
        subprocess.run(["circusctl", "quit"], env=env, capture_output=True, timeout=60)
