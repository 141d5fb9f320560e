"""The package of the example, built and installed: all that it brings works, from end to end."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs import Control, Environment, wait_until

pytestmark = pytest.mark.live

CONFIGURATION = """
[circus]
endpoint = ipc://{folder}/control
pubsub_endpoint = ipc://{folder}/events

[watcher:loud]
cmd = sh -c 'echo quiet; echo ERROR loud; sleep 300'
numprocesses = 2
stdout_stream.class = FilterStream
stdout_stream.filename = {folder}/errors
stdout_stream.pattern = ^ERR[O]R

[plugin:diary]
use = journal
filename = {folder}/journal
isolate = {isolate}
"""


class Running:
    """A daemon with everything that the package brings."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        self.control = Control(environment, f"ipc://{folder}/control")

    def said(self, *words: str) -> str:
        """Return what circusctl says."""
        code, out, complaint = self.control(*words)
        assert code == 0, complaint
        return out

    def journal(self) -> list[dict[str, Any]]:
        """Return what the plugin has written so far."""
        file = self.folder / "journal"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module", params=[True, False], ids=["process", "thread"])
def running(
    request: pytest.FixtureRequest,
    environment: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("daemon")
    file = folder / "circus.ini"
    text = CONFIGURATION.format(folder=folder, isolate=request.param)
    file.write_text(text, encoding="utf-8")
    one = Running(environment, folder)
    with environment.running("circusd", str(file), log=folder / "log") as daemon:
        one.control.wait_for("active", "status", "loud")
        yield one
        assert one.control("quit", "--waiting")[0] == 0
        assert daemon.wait(timeout=30) == 0
    assert "Traceback" not in (folder / "log").read_text(encoding="utf-8")


def test_the_plugin_hears_what_happens(running: Running) -> None:
    def hears() -> bool:
        running.said("announce", "loud", "hello")
        return any(one["event"] == "hello" for one in running.journal())

    wait_until(hears)
    running.said("restart", "loud", "--waiting")

    def spawns() -> list[dict[str, Any]]:
        return [one for one in running.journal() if one["event"] == "spawn"][-2:]

    def spawned() -> list[int]:
        return sorted(spawn["body"]["process_pid"] for spawn in spawns())

    # What was spawned before the restart may still be on its way to the plugin.
    wait_until(lambda: spawned() == sorted(running.control.pids("loud")))
    assert {spawn["watcher"] for spawn in spawns()} == {"loud"}


def test_the_command_acts_in_the_daemon_and_shows_on_the_command_line(running: Running) -> None:
    lines = running.said("openfiles", "loud").splitlines()
    for wid, (line, pid) in enumerate(zip(lines, running.control.pids("loud"), strict=True), 1):
        found = re.fullmatch(rf"loud {wid} {pid}: (\d+)", line)
        assert found, line
        assert int(found[1]) == len(os.listdir(f"/proc/{pid}/fd"))
    assert running.said("openfiles", "--at-least", "100000") == "\n"
    assert "how many files the processes" in running.said("help", "openfiles")
    assert running.control("openfiles", "nobody")[0] == 3


def test_the_stream_keeps_what_matches(running: Running) -> None:
    errors = running.folder / "errors"
    wait_until(lambda: errors.exists() and errors.read_bytes().count(b"\n") >= 2)
    assert set(errors.read_text(encoding="utf-8").splitlines()) == {"ERROR loud"}


def test_its_numbers_stand_in_stats(running: Running) -> None:
    infos = json.loads(running.said("stats", "loud", "--json"))["info"]
    assert {int(pid) for pid in infos} == set(running.control.pids("loud"))
    for info in infos.values():
        assert info["extra"]["open_files"] >= 3


def test_it_is_listed_with_its_version(running: Running) -> None:
    lines = running.said("plugins").splitlines()
    for thing in (
        "commands  openfiles",
        "kernel  openfiles",
        "streams  FilterStream",
    ):
        assert f"{thing}  circus-extras 1.0  loaded" in lines
    assert any(line.startswith("plugins  journal  circus-extras 1.0  ") for line in lines)
    assert any(line.startswith("diary  journal  ") for line in lines)
    told = running.environment.run("circus-plugin", "--list").stdout
    summary = "journal  (circus-extras 1.0)  Writes a line of JSON for every event into a file."
    assert summary in told.splitlines()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("^ERR[O]R", "ERR[", "stdout_stream.pattern.* isn't a regular expression"),
        (".pattern", ".patern", "patern.* is no option of FilterStream"),
    ],
)
def test_a_mistake_in_an_option_is_told_with_its_line(
    environment: Environment, tmp_path: Path, old: str, new: str, told: str
) -> None:
    file = tmp_path / "circus.ini"
    text = CONFIGURATION.format(folder=tmp_path, isolate=True).replace(old, new)
    file.write_text(text, encoding="utf-8")
    done = environment.run("circusd", "--check", str(file))
    assert done.returncode == 1
    assert re.search(rf"circus\.ini:\d+: .*{told}", done.stdout + done.stderr)


def test_a_mistake_of_the_plugin_is_told_in_a_sentence(environment: Environment) -> None:
    done = environment.run("circus-plugin", "journal", "-o", "bodies=maybe")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "plugin journal: bodies isn't a boolean: 'maybe'" in done.stderr


@pytest.mark.parametrize(
    ("plugin", "package", "extra"),
    [("redis_observer", "redis", "redis"), ("prometheus", "prometheus_client", "prometheus")],
)
def test_one_of_ours_says_which_package_it_lacks(
    environment: Environment, plugin: str, package: str, extra: str
) -> None:
    done = environment.run("circus-plugin", plugin)
    sentence = f"the package {package} is missing, pip install 'cvec-circus[{extra}]' brings it"
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
