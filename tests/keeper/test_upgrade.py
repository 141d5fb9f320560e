"""The daemon goes on with other code, or with the code before if that fails: no process notices."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.keeper.kept import Kept
from tests.live.daemon import ROOT, Daemon, is_alive, until

pytestmark = pytest.mark.live

_SLEEPERS = """
[watcher:sleepers]
cmd = sleep 1000
numprocesses = 5
ready = spawned
"""
_SERVE = "    link = KeeperLink.of_stdin()\n"
_READY = '        self._link.tell("ready")\n'
BAD = {
    "no import": ("from __future__", "import no_such_module\nfrom __future__"),
    "crash": (_SERVE, f"{_SERVE}    os._exit(7)\n"),
    "hang": (_SERVE, f"{_SERVE}    import time; time.sleep(1000)\n"),
    "deaf one": (_READY, f"{_READY}        import time; time.sleep(1000)\n"),
}


def environment(folder: Path, before: str = "", after: str = "") -> Path:
    """Make something like a virtual environment with a copy of this code, changed in one place."""
    code = folder / "code"
    for package in ("cvec_circus_core", "cvec_circus_plugins", "cvec_circus_cli"):
        shutil.copytree(ROOT / package, code / package)
    kept = code / "cvec_circus_core" / "daemon" / "kept.py"
    text = kept.read_text()
    assert before in text
    kept.write_text(text.replace(before, after, 1) if before else text)
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\nPYTHONPATH='{code}' exec {sys.executable} \"$@\"\n")
    python.chmod(0o755)
    return folder


@pytest.fixture
def daemon() -> Iterator[Kept]:
    daemon = Kept(_SLEEPERS)
    try:
        yield daemon
        daemon.account()
    finally:
        daemon.clean_up()


def facts(daemon: Daemon) -> dict[str, Any]:
    told: dict[str, Any] = daemon.ok("dstats")["daemon"]
    return told


def upgrade(daemon: Daemon, venv: Path, *words: str) -> tuple[int, str]:
    done = daemon.control("upgrade", "--to", str(venv), *words)
    return done.returncode, done.stdout + done.stderr


def test_it_goes_on_with_the_other_code_and_back(daemon: Kept, tmp_path: Path) -> None:
    daemon.start()
    pids = daemon.until_active("sleepers", 5)
    venvs = [environment(tmp_path / name) for name in ("one", "two")]
    before = facts(daemon)
    assert before["keeper"]["pid"] == daemon.process.pid
    assert (before["starts"], before["ends"], before["upgrade"]) == (1, [], {})
    for number, venv in enumerate(venvs, 1):
        code, text = upgrade(daemon, venv, "--watch", "0.1", "--limit", "120")
        assert (code, text) == (0, f"the daemon goes on with version {before['version']}\n")
        now = facts(daemon)
        assert now["upgrade"]["outcome"] == "done"
        assert now["starts"] == number + 1
        assert now["ends"][-1][1] == "was ended for an upgrade"
        path = Path(f"/proc/{daemon.brain()}/environ").read_bytes()
        assert f"PYTHONPATH={venv}/code".encode() in path
        assert daemon.pids("sleepers") == pids
    assert f"brain started anew: {len(venvs)} times" in daemon.control("dstats").stdout


def test_bad_code_is_not_gone_on_with(daemon: Kept, tmp_path: Path) -> None:
    daemon.start()
    pids = daemon.until_active("sleepers", 5)
    for name, (before, after) in BAD.items():
        venv = environment(tmp_path / name, before, after)
        limit = "1" if name == "hang" else "120"
        code, text = upgrade(daemon, venv, "--watch", "0.1", "--limit", limit)
        assert code == 3, text
        assert len(text.splitlines()) == 1, text
        reason = {
            "no import": "nothing was changed",
            "crash": "failed: ended with exit code 7",
            "hang": "failed: was ended by SIGKILL (it did not serve in 1 s)",
            "deaf one": "failed: was ended by SIGKILL (it did not answer for 5 s)",
        }[name]
        assert reason in text
        until(lambda: bool(daemon.brain()))
        assert daemon.pids("sleepers") == pids
        assert all(map(is_alive, pids))
        assert facts(daemon)["python"] == sys.executable


def test_what_can_not_be_is_refused(daemon: Kept, tmp_path: Path) -> None:
    daemon.start()
    for venv, properties in ((tmp_path, {}), (Path("relative"), {}), (tmp_path, {"watch": -1})):
        assert "must be" in daemon.refused("upgrade", to=str(venv), **properties)[1]
    alone = Daemon(_SLEEPERS)
    try:
        alone.start()
        assert "keeper = True" in alone.refused("upgrade")[1]
        assert facts(alone)["pid"] == alone.process.pid
        alone.account()
    finally:
        alone.clean_up()
