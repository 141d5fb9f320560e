"""Installed packages add to the daemon; broken ones are named in the log and hurt nobody."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.live.daemon import Daemon

MODULE = """
import os
from pathlib import Path
from cvec_circus_core.extend.hookspecs import hookimpl

def note(word):
    with Path(os.environ["NOTES"]).open("a") as out:
        print(word, file=out)

class Good:
    @hookimpl
    def circus_environment(self):
        return {"FROM_PLUGIN": "yes"}

    @hookimpl
    def circus_ready(self, supervisor):
        note("ready " + ",".join(one.name for one in supervisor.watchers()))

    @hookimpl
    def circus_extra_stats(self, processes):
        return {one.pid: {"weight": 7, "who": f"{one.watcher}-{one.wid}"} for one in processes}

    @hookimpl
    def circus_stopping(self, supervisor):
        note("stopping " + ",".join(one.view().status.value for one in supervisor.watchers()))

class Raising:
    @hookimpl
    def circus_environment(self):
        raise RuntimeError("a plugin has a bad day")

    @hookimpl
    def circus_ready(self, supervisor):
        raise RuntimeError("a plugin has a bad day")

    @hookimpl
    def circus_extra_stats(self, processes):
        raise RuntimeError("a plugin has a bad day")

    @hookimpl
    def circus_stopping(self, supervisor):
        raise RuntimeError("a plugin has a bad day")

class Strange:
    @hookimpl
    def circus_ready(self, nobody_knows_this):
        note("strange")

class RaisingWhenMade:
    def __init__(self):
        raise TypeError("it can not be made")

class NoCommand:
    pass
"""

ENTRY_POINTS = """
[cvec_circus.kernel]
a_raising = extras:Raising
broken = extras_that_are_not_there:Nothing
good = extras:Good
missing = extras:NotThere
strange = extras:Strange
unmade = extras:RaisingWhenMade

[cvec_circus.commands]
broken = extras_that_are_not_there:Nothing
list = extras:NoCommand
none = extras:NoCommand
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder for PYTHONPATH that holds a package as pip would have put it."""
    info = tmp_path / "extras-1.0.dist-info"
    info.mkdir()
    (tmp_path / "extras.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extras\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return tmp_path


def test_good_plugins_work_and_broken_ones_hurt_nobody(
    start: Callable[..., Daemon], installed: Path
) -> None:
    notes = installed / "notes"
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    daemon = start(
        "[watcher:b]\ncmd = sleep 1000\n[watcher:a]\ncmd = sleep 1000\n",
        environment={"PYTHONPATH": path, "NOTES": str(notes)},
        tracebacks=4,
    )
    (pid,) = daemon.until_active("a")
    assert psutil.Process(pid).environ()["FROM_PLUGIN"] == "yes"
    assert notes.read_text() == "ready a,b\n"
    assert daemon.ok("list")["watchers"] == ["a", "b"]
    for _ in range(3):
        infos = daemon.ok("stats")["infos"]
        assert infos["a"][str(pid)]["extra"] == {"weight": 7, "who": "a-1"}
    assert daemon.refused("none")[0] == 2
    assert daemon.stop() == 0
    assert notes.read_text() == "ready a,b\nstopping stopped,stopped\n"
    told = daemon.text()
    for hook in ("environment", "ready", "stopping"):
        assert f"kernel plugin a_raising failed in circus_{hook}" in told
    for name in ("broken", "missing", "unmade"):
        assert f"cvec_circus.kernel {name} of extras is left out" in told
    assert told.count("kernel plugin a_raising failed with RuntimeError in circus_extra_stats") == 1
    assert "kernel plugin strange is left out" in told
    for name in ("broken", "list", "none"):
        assert f"cvec_circus.commands {name} of extras is left out" in told
