"""The manual pages are those of the programs as they are, and man shows them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import need

ROOT = Path(__file__).resolve().parent.parent.parent
MAN = ROOT / "docs" / "man"
PAGES = sorted(path.name for path in MAN.iterdir())


def bold(text: str) -> set[str]:
    """Return what a page prints in bold, and its headings: options, commands, sections."""
    return {line for line in text.splitlines() if line.startswith((".B ", ".SS ", ".SH "))}


def test_every_option_and_command_has_its_place(tmp_path: Path) -> None:
    program = ROOT / "docs" / "_ext" / "man_pages.py"
    subprocess.run([sys.executable, program, tmp_path], check=True, timeout=100, cwd=ROOT)
    written = {path.name: bold(path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()}
    present = {path.name: bold(path.read_text(encoding="utf-8")) for path in MAN.iterdir()}
    assert present == written, "python docs/_ext/man_pages.py writes them anew"


@pytest.mark.parametrize("page", [page for page in PAGES if not page.startswith("cvec_")])
def test_man_shows_it(page: str) -> None:
    done = subprocess.run(
        [need("man", "man-db"), "--warnings", "--local-file", str(MAN / page)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "NAME" in text
    assert f"{page.removesuffix('.1')} - " in text
    assert "SEE ALSO" in text
