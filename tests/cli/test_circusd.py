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


ONE_IS_BAD = "[watcher:good]\ncmd = true\n[watcher:bad]\ncmd = true\npriority = x\n"


@pytest.mark.parametrize("text", [ONE_IS_BAD, f"skip_bad = yes\n{ONE_IS_BAD}"])
@pytest.mark.parametrize("flags", [("--check",), ("--check", "--skip-bad")])
def test_check_tells_what_would_be_left_out(
    tmp_path: Path, text: str, flags: tuple[str, ...]
) -> None:
    code, lines = run(tmp_path, text, *flags)
    assert (code, len(lines), lines[-1]) == (1, 2, "circusd: 1 mistake")
    assert lines[0].startswith("error: app.ini:")
    assert "[watcher:bad] priority = x" in lines[0]


@pytest.mark.parametrize(
    ("text", "flags", "last"),
    [
        (ONE_IS_BAD, (), "nothing was started (--skip-bad leaves bad watchers and sockets out)"),
        (f"httpd = x\n{ONE_IS_BAD}", (), "nothing was started"),
        (f"httpd = x\n{ONE_IS_BAD}", ("--skip-bad",), "nothing was started"),
    ],
)
def test_skip_bad_is_named_where_it_helps(
    tmp_path: Path, text: str, flags: tuple[str, ...], last: str
) -> None:
    code, lines = run(tmp_path, text, *flags)
    assert (code, lines[-1].partition(", ")[2]) == (1, last)


def test_a_count_of_watchers_has_the_right_ending(tmp_path: Path) -> None:
    assert run(tmp_path, "", "--check") == (0, ["app.ini is good: 0 watchers"])
    one = "[watcher:w]\ncmd = true\n"
    assert run(tmp_path, one, "--check") == (0, ["app.ini is good: 1 watcher"])
