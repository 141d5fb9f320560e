"""The daemon goes on with other code, or with the code before if that fails: no process notices."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.keeper.kept import Kept
from tests.live.daemon import ROOT, Daemon, is_alive, until
from tests.live.wire import Caller, NoReply

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


def started(daemon: Kept) -> int:
    """Return how often a brain was started, as the present one says; 0 where none answers."""
    caller = Caller(daemon.endpoint)
    try:
        return int(caller.answer(caller.send("dstats"), 2.0)["daemon"]["starts"])
    except NoReply:
        return 0
    finally:
        caller.close()


def is_started(daemon: Kept, times: int) -> bool:
    return started(daemon) == times


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
        until(partial(is_started, daemon, 2 * number + 1))
        now = facts(daemon)
        assert now["upgrade"]["outcome"] == "done"
        assert [end for _, end in now["ends"][-2:]] == [
            "was ended for an upgrade",
            "was ended for the exchange of the keeper",
        ]
        assert now["keeper"]["pid"] == daemon.process.pid
        for pid in (daemon.process.pid, daemon.brain()):
            path = Path(f"/proc/{pid}/environ").read_bytes()
            assert f"PYTHONPATH={venv}/code".encode() in path
        assert daemon.pids("sleepers") == pids
        assert {psutil.Process(pid).ppid() for pid in pids} == {daemon.process.pid}
    assert f"brain started anew: {2 * len(venvs)} times" in daemon.control("dstats").stdout
    os.kill(pids[0], signal.SIGKILL)
    until(lambda: daemon.said(f"sleepers process [pid {pids[0]}] ended by itself, exit code -9"))


def test_a_keeper_whose_new_code_can_not_go_on_stays_as_it_is(daemon: Kept, tmp_path: Path) -> None:
    daemon.start()
    pids = daemon.until_active("sleepers", 5)
    # It does not say what it understands, like every version before.
    older = environment(tmp_path / "older")
    main = older / "code" / "cvec_circus_core" / "keeper" / "__main__.py"
    main.write_text(main.read_text().replace("UNDERSTANDS", "IS_OLD"))
    # It says that it can, and can not.
    liar = environment(tmp_path / "liar")
    form = liar / "code" / "cvec_circus_core" / "system" / "keeper_client" / "handover.py"
    form.write_text(form.read_text().replace("        packed.seek(0)\n", "        1 / 0\n"))
    assert upgrade(daemon, older, "--watch", "0.1", "--limit", "120")[0] == 0
    assert facts(daemon)["upgrade"]["outcome"] == "done"
    good = environment(tmp_path / "good")
    assert upgrade(daemon, good, "--watch", "0.1", "--limit", "120")[0] == 0
    until(lambda: started(daemon) == 4)
    assert upgrade(daemon, liar, "--watch", "0.1", "--limit", "120")[0] == 0
    until(lambda: daemon.said("the keeper goes back to the code before"))
    until(lambda: started(daemon) == 6)
    path = Path(f"/proc/{daemon.process.pid}/environ").read_bytes()
    assert f"PYTHONPATH={good}/code".encode() in path
    assert daemon.pids("sleepers") == pids
    assert {psutil.Process(pid).ppid() for pid in pids} == {daemon.process.pid}


def test_bad_code_is_not_gone_on_with(daemon: Kept, tmp_path: Path) -> None:
    daemon.start()
    pids = daemon.until_active("sleepers", 5)
    python = facts(daemon)["python"]
    assert os.path.samefile(python, sys.executable)
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
        assert facts(daemon)["python"] == python


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
