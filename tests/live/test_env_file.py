"""Files of environment variables, as processes see them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.daemon import Daemon, until

pytestmark = pytest.mark.live

BODY = """
[watcher:app]
cmd = sh -c 'echo "$A $B $C from $(circus.env.a)" >> out; exec sleep 1000'
working_dir = {folder}
env_file = .env, -.env.local
ready = spawned
settle = 0

[env:app]
C = section, not $A
"""


def test_each_start_reads_them_again(start: Callable[..., Daemon], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nB='two words'\nC=file\n")
    daemon = start(BODY.format(folder=tmp_path))
    out = tmp_path / "out"
    until(lambda: out.exists() and bool(out.read_text()))
    assert out.read_text() == "1 two words section, not  from 1\n"
    assert "B=two words" in daemon.control("env", "app").stdout
    (tmp_path / ".env.local").write_text("A=2\n")
    assert daemon.control("reload", "app", "--waiting").returncode == 0
    until(lambda: out.read_text().endswith("2 two words section, not  from 2\n"))


def test_one_that_is_missing_is_told(start: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = start(BODY.format(folder=tmp_path).replace("ready", "autostart = no\nready"))
    outcome = daemon.control("start", "app", "--waiting")
    assert outcome.returncode == 3
    file = tmp_path / ".env"
    assert f"env_file {file} can not be read: no such file or directory" in outcome.stderr
    file.write_text("A=1\n")
    daemon.until_active("app", 1)
