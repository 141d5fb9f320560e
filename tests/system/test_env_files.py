"""Files of environment variables, read when they have changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cvec_circus_core.model.errors import SystemProblem
from cvec_circus_core.system.env_files import EnvFiles

TEXT = """
# a comment
export PORT=8000
NAME="two words"   # another
URL=http://localhost:${PORT}/
RAW='$PORT'
EMPTY=
BARE
LINES="one
two"
"""


def test_the_syntax_of_dotenv(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(TEXT)
    assert EnvFiles().variables([(str(file), False)]) == {
        "PORT": "8000",
        "NAME": "two words",
        "URL": "http://localhost:8000/",
        "RAW": "$PORT",
        "EMPTY": "",
        "LINES": "one\ntwo",
    }


def test_later_files_win_and_some_may_be_missing(tmp_path: Path) -> None:
    first, second, missing = (tmp_path / name for name in ("a", "b", "none"))
    first.write_text("A=1\nB=1\n")
    second.write_text("B=2\n")
    files = [(str(first), False), (str(second), True), (str(missing), True)]
    assert EnvFiles().variables(files) == {"A": "1", "B": "2"}


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n")
    env_files = EnvFiles()
    before = env_files.variables([(str(file), False)])
    assert env_files.variables([(str(file), False)]) is before
    file.write_text("A=10\n")
    assert env_files.variables([(str(file), False)]) == {"A": "10"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"A=1\nnot a = line = 'x\n", "line 2 is no KEY=VALUE"),
        (b"A=\xff\n", "is no UTF-8 text"),
        (b"A=x\0y\n", "has a NUL character"),
        (b"#" * (1024 * 1024 + 1), "has more than 1048576 bytes"),
    ],
)
def test_what_can_not_be_used_is_told(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / ".env"
    file.write_bytes(content)
    with pytest.raises(SystemProblem, match=why) as refusal:
        EnvFiles().variables([(str(file), True)])
    assert str(refusal.value).startswith(f"env_file {file}")


def test_missing_files_and_pipes_are_told(tmp_path: Path) -> None:
    with pytest.raises(SystemProblem, match="can not be read: no such file or directory"):
        EnvFiles().variables([(str(tmp_path / "none"), False)])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SystemProblem, match="is no regular file"):
        EnvFiles().variables([(str(tmp_path / "pipe"), True)])
