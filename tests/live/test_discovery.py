"""What packages bring, group by group: found, listed with its origin, and told where it is broken.

A broken package never stops the daemon; only what names a broken thing goes without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cvec_circus_core.extend.hookspecs import KernelHooks
from cvec_circus_core.extend.registry import COMMANDS, FORMATS, GATES, PLUGINS
from cvec_circus_core.extend.sink import STREAMS
from tests.live.daemon import ROOT, Daemon, until

GROUPS = [
    *(one.removeprefix("cvec_circus.") for one in (COMMANDS, FORMATS, GATES, PLUGINS, STREAMS)),
    "kernel",
]
GOOD = """
import os
from pathlib import Path
from cvec_circus_core.api import CircusPlugin, Command, RawConfig, hookimpl

class Hello(Command):
    "Say hello."
    name = "hello"
    acts = False
    async def execute(self, supervisor, request):
        return {"said": "hello"}

class Nothing:
    name = "nothing"
    suffixes = (".nothing",)
    def read(self, text, file):
        return RawConfig()

class Gate:
    count = 0
    def __call__(self, **told):
        self.count += 1
        print("gate of", told["watcher"].name, told["hook_name"], self.count, flush=True)
        return self.count > 2

def shut(**told):
    return False

class Quiet(CircusPlugin):
    name = "quiet"
    def handle_recv(self, data):
        pass

class Sink:
    def __call__(self, data):
        print("sink took", data["data"], flush=True)

class Kernel:
    @hookimpl
    def circus_environment(self):
        return {"FROM_GOOD": "yes"}
"""
THINGS = {
    "commands": "Hello",
    "formats": "Nothing",
    "gates": "Gate",
    "plugins": "Quiet",
    "streams": "Sink",
    "kernel": "Kernel",
}
FAULT = "RuntimeError: this package is broken"


def install(folder: Path, name: str, source: str, entry_points: str) -> None:
    """Put a package into a folder as pip would have done it."""
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    info = folder / f"{name}-1.5.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment in which a good and a broken package are installed."""
    broken = "".join(f"[cvec_circus.{one}]\nbroken = broken:Nothing\n" for one in GROUPS)
    install(tmp_path, "broken", "raise RuntimeError('this package is broken')\n", broken)
    good = "".join(f"[cvec_circus.{one}]\ngood = good:{THINGS[one]}\n" for one in GROUPS)
    install(tmp_path, "good", GOOD, good + "[cvec_circus.gates]\nshut = good:shut\n")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}


def told(daemon: Daemon) -> dict[tuple[str, str], tuple[str, Any]]:
    """Return state and reason by group and name, of the two packages."""
    return {
        (one["group"], one["name"]): (one["state"], one["reason"])
        for one in daemon.ok("plugins")["installed"]
        if (one["distribution"], one["version"]) in (("good", "1.5"), ("broken", "1.5"))
    }


BODY = """
[watcher:web]
cmd = sh -c 'echo out; exec sleep 1000'
stdout_stream.class = good
hooks.before_spawn = gate:good
[plugin:good]
use = good
isolate = False
[plugin:broken]
use = broken
isolate = False
[watcher:kept-out]
cmd = sleep 1000
hooks.before_start = gate:broken
[watcher:shut-out]
cmd = sleep 1000
hooks.before_start = gate:shut
[watcher:lost]
cmd = sleep 1000
hooks.before_start = gate:goood
"""


def test_every_group_is_found_listed_and_told_where_it_is_broken(
    start: Callable[..., Daemon], environment: dict[str, str]
) -> None:
    # At the log level of these tests, what a package raised is told in full.
    daemon = start(BODY, environment=environment, tracebacks=2)
    daemon.until_active("web")
    assert daemon.ok("good")["said"] == "hello"
    # A gate is asked until it lets the process through.
    until(lambda: daemon.said("gate of web before_spawn 3"))
    until(lambda: daemon.said("sink took b'out\\n'"))
    for watcher, why in {
        "kept-out": f"gate broken of broken does not load ({FAULT})",
        "shut-out": "before_start said no (gate:shut)",
        "lost": "no gate is named 'goood'; did you mean good?",
    }.items():
        until(lambda watcher=watcher, why=why: why in str(daemon.status(watcher)["reason"]))  # type: ignore[misc]
    until(lambda: told(daemon)["plugins", "broken"][0] == "failed")
    found = told(daemon)
    assert {group for group, _ in found} == set(GROUPS)
    for group in GROUPS:
        assert found[group, "good"] == ("loaded", None)
        assert found[group, "broken"] == ("failed", FAULT)
    running = {one["name"]: one for one in daemon.ok("plugins")["running"]}
    assert running["good"]["state"] == "running"
    assert running["broken"]["reason"] == f"plugin broken of broken does not load ({FAULT})"
    shown = daemon.control("plugins", "gates").stdout
    assert "gates  broken  broken 1.5  failed  " + FAULT in shown
    assert "gates  good  good 1.5  loaded" in shown


def test_a_configuration_that_needs_a_broken_thing_is_refused(
    environment: dict[str, str],
) -> None:
    daemon = Daemon("[watcher:web]\ncmd = sleep 1000\nstdout_stream.class = broken\n")
    try:
        assert daemon.launch(**environment).wait(60) == 1
        assert "names no stream class" in daemon.text()
        assert "Traceback" not in daemon.text()
    finally:
        daemon.clean_up()


def test_a_hook_may_not_name_anything_else(start: Callable[..., Daemon]) -> None:
    daemon = start("[watcher:web]\ncmd = sleep 1000\n")
    for name in ("gate", "gate:", "gate:a b", "door:good"):
        errno, reason = daemon.refused("set", name="web", options={"hooks.before_spawn": name})
        assert errno == 3, reason


DIARY = ROOT / "docs" / "examples" / "kernel_hooks.py"


def hooks() -> list[str]:
    """Return the names of all kernel hooks."""
    return [one for one in vars(KernelHooks) if one.startswith("circus_")]


@pytest.mark.parametrize("name", hooks())
def test_every_kernel_hook_is_explained_and_has_an_example(name: str) -> None:
    assert len((getattr(KernelHooks, name).__doc__ or "").strip()) > 40
    assert f"@hookimpl\n    def {name}(" in DIARY.read_text(encoding="utf-8")


def test_every_kernel_hook_is_called(start: Callable[..., Daemon], tmp_path: Path) -> None:
    entry_point = "[cvec_circus.kernel]\nexample = example_hooks:Example\n"
    install(tmp_path, "example_hooks", DIARY.read_text(encoding="utf-8"), entry_point)
    diary = tmp_path / "diary"
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = {"PYTHONPATH": path, "EXAMPLE_DIARY": str(diary)}
    daemon = start("[watcher:web]\ncmd = sleep 1000\n", environment=environment)
    (pid,) = daemon.until_active("web")
    seen = {"circus_environment"} if "DEPLOYED_BY" in daemon.ok("env", name="web")["env"] else set()
    if "oom_score" in daemon.ok("stats", name="web")["info"][str(pid)].get("extra", {}):
        seen.add("circus_extra_stats")
    if "plugin:web-dog" in daemon.ok("list")["watchers"]:
        seen.add("circus_plugins")
    assert daemon.stop() == 0
    lines = diary.read_text(encoding="utf-8").splitlines()
    seen |= {
        f"circus_{line.partition(':')[0]}"
        for line in lines
        if line
        in (
            "ready: plugin:web-dog, web",
            "stopping: plugin:web-dog stopped, web stopped",
        )
    }
    assert seen == set(hooks())
