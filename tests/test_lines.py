"""Lines end at a line feed and nowhere else: `str.splitlines` cuts at more."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from cvec_circus_core.api import read_settings
from cvec_circus_core.model.curve_keys import read_pair
from cvec_circus_core.system.processes.cgroups import own_group
from cvec_circus_plugins.notifier.settings import NotifierSettings, completed
from tests.test_architecture import PACKAGES, ROOT

FOLDERS = [*PACKAGES, "docs/examples"]
ODD = "a\u2028b\u0085c\x0bd\x0ce"


def cuts(source: str) -> list[int]:
    """Return the lines of a program that call `splitlines`."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr == "splitlines"
    ]


@pytest.mark.parametrize("folder", FOLDERS)
def test_nobody_cuts_lines_elsewhere(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    found = [f"{file}:{at}" for file in files for at in cuts(file.read_text(encoding="utf-8"))]
    assert not found


def test_a_cut_is_seen() -> None:
    assert cuts("x = 1\ny = text.splitlines(keepends=True)") == [2]


def test_of_a_password(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{ODD}\nnot this\n", encoding="utf-8")
    config = {"mail_to": "a@b", "smtp_user": "u", "smtp_password_file": str(tmp_path / "secret")}
    assert completed(read_settings(NotifierSettings, config, "notifier")).smtp_password == ODD


def test_of_keys() -> None:
    key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
    text = f"public = {key}\r\nsecret = {key}\n# {ODD}\u2028public = wrong\n"
    assert read_pair(text, "x") == read_pair(f"public = {key}\nsecret = {key}\n", "x")


def test_of_control_groups(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text("1 0 0:1 / /sys/fs/cgroup rw - cgroup2 none rw\n")
    (tmp_path / "cgroup").write_text(f"0::/{ODD}\n", encoding="utf-8")
    assert own_group(tmp_path) == Path("/sys/fs/cgroup") / ODD
