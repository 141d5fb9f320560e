"""circusd tells all that is to be said of a file: warnings, then mistakes, then one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CIRCUSD = Path(sys.prefix) / "bin" / "circusd"


def run(folder: Path, text: str, *flags: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines that were said about a file, without its folder."""
    file = folder / "app.ini"
    head = f"[circus]\nendpoint = ipc://{folder}/c\npubsub_endpoint = ipc://{folder}/e\n"
    file.write_text(head + text)
    done = subprocess.run(
        [CIRCUSD, *flags, str(file)], cwd=folder, capture_output=True, text=True, timeout=60
    )
    said = done.stderr + done.stdout
    assert "Traceback" not in said
    return done.returncode, said.replace(f"{folder}/", "").splitlines()


@pytest.mark.parametrize("flags", [(), ("--check",)])
def test_warnings_are_told_beside_mistakes(tmp_path: Path, flags: tuple[str, ...]) -> None:
    text = "httpd = yes\n[wacher:x]\ncmd = 1\n[watcher:w]\ncmd = true\npriority = x\n"
    code, lines = run(tmp_path, text, *flags)
    assert code == 1
    assert [line.partition(": [")[0] for line in lines[:3]] == [
        "warning: app.ini:4",
        "warning: app.ini:5",
        "error: app.ini:9",
    ]
    assert len(lines) == 4
