"""CommandReloader live: programs, scripts and directories that change under running workers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until
from tests.live.wire import Ear

Listen = Callable[..., Ear]
PROGRAM = "#!/bin/sh\nexec sleep 1000\n"


@pytest.fixture(params=["process", "thread"])
def isolate(request: pytest.FixtureRequest) -> bool:
    """Tell whether the plugin gets a process of its own."""
    return bool(request.param == "process")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a program, a script, and directories of sources."""
    for name in ("run", "run-other", "app.sh", "src/deep/a.py", "src/logs/b.py", "src/c.txt"):
        (path := tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PROGRAM)
        path.chmod(0o755)
    return tmp_path


def watcher(home: Path, name: str, cmd: str, *more: str) -> str:
    """Return the section of a watcher."""
    lines = (f"[watcher:{name}]", f"cmd = {cmd}", f"working_dir = {home}", *more)
    return "\n".join(lines) + "\n"


def plugin(isolate: bool, *more: str) -> str:
    """Return the section of the plugin."""
    lines = (
        "use = command_reloader",
        f"isolate = {isolate}",
        "loop_rate = 0.1",
        "settle = 0.3",
        *more,
    )
    return "[plugin:reloader]\n" + "\n".join(lines) + "\n"


def until_it_looks(daemon: Daemon) -> None:
    """Wait until the plugin knows all programs."""
    until(lambda: daemon.said("command_reloader: looking after"))


def has_new(daemon: Daemon, name: str, before: list[int]) -> bool:
    """Tell whether all processes of a watcher are others now."""
    pids = daemon.pids(name)
    return len(pids) == len(before) and not set(pids) & set(before)


def change_until_new(daemon: Daemon, path: Path, before: list[int]) -> None:
    """Change a file, with rests in between, until processes are others."""
    for _ in range(10):
        path.write_text(PROGRAM + f"# {os.urandom(4).hex()}\n")
        try:
            return until(lambda: has_new(daemon, "web", before), limit=3)
        except AssertionError:
            pass  # The plugin did not know of it yet.
    pytest.fail(f"{path} was changed in vain")


def test_a_changed_program_is_reloaded(
    start: Start, listen: Listen, home: Path, isolate: bool
) -> None:
    body = watcher(home, "Some Web.app", "./run --now", "numprocesses = 2")
    daemon = start(body + watcher(home, "other", "./run-other") + plugin(isolate))
    before, other = daemon.until_active("some web.app"), daemon.until_active("other")
    until_it_looks(daemon)
    ear = listen(daemon)
    (home / "run").write_text(PROGRAM + "# changed\n")
    until(lambda: has_new(daemon, "some web.app", before))
    assert {one.body["reason"] for one in ear.of("reap", "some_web.app")} == {"reloaded"}
    assert daemon.pids("other") == other
    assert daemon.said(f"watcher Some Web.app: {home}/run has changed; reload follows")


def test_a_link_that_is_turned_and_a_command_that_is_set(
    start: Start, home: Path, isolate: bool
) -> None:
    current = home / "current"
    current.symlink_to(home / "run")
    daemon = start(watcher(home, "web", str(current)) + plugin(isolate, "action = restart"))
    before = daemon.until_active("web")
    until_it_looks(daemon)
    (home / "next").symlink_to(home / "run-other")
    (home / "next").rename(current)
    until(lambda: has_new(daemon, "web", before))
    daemon.ok("set", name="web", options={"cmd": f"{home}/run-other"}, waiting=True)
    change_until_new(daemon, home / "run-other", daemon.until_active("web", 1))


@pytest.mark.parametrize("own", [True, False], ids=["option of the watcher", "of the plugin"])
def test_scripts_and_directories(start: Start, home: Path, isolate: bool, own: bool) -> None:
    options = ("paths = src", "patterns = *.py", "ignore = logs", "arguments = yes")
    shown = [f"command_reloader.{option}" for option in options] if own else []
    body = watcher(home, "web", "sh app.sh", *shown)
    daemon = start(body + plugin(isolate, *(() if own else options)))
    for file in ("app.sh", "src/deep/a.py", "src/new.py"):
        before = daemon.until_active("web", 1)
        until_it_looks(daemon)
        (home / "src/c.txt").write_text("does not count")
        (home / "src/logs/b.py").write_text("does not count")
        (home / file).write_text(PROGRAM + "# changed\n")
        until(lambda before=before: has_new(daemon, "web", before))  # type: ignore[misc]
        assert daemon.said(f"{home}/{file} has changed")
    assert not daemon.said("c.txt has changed")
    assert not daemon.said("b.py has changed")


def test_a_directory_that_is_made_anew_counts_and_is_watched_again(
    start: Start, home: Path
) -> None:
    body = watcher(home, "web", "./run", "command_reloader.paths = src")
    daemon = start(body + plugin(True))
    before = daemon.until_active("web", 1)
    until_it_looks(daemon)
    shutil.copytree(home / "src", home / "fresh")
    shutil.rmtree(home / "src")
    (home / "fresh").rename(home / "src")
    until(lambda: has_new(daemon, "web", before))

    change_until_new(daemon, home / "src/deep/a.py", daemon.until_active("web", 1))


def test_who_is_stopped_or_left_out_is_left_alone(start: Start, home: Path) -> None:
    body = watcher(home, "stopped", "./run", "autostart = no")
    body += watcher(home, "out", "./run", "command_reloader.active = no")
    body += watcher(home, "elsewhere", "./run")
    body += watcher(home, "web", "./run")
    daemon = start(body + plugin(True, "watchers = web stop* out"))
    kept = {name: daemon.until_active(name, 1) for name in ("out", "elsewhere")}
    before = daemon.until_active("web", 1)
    until_it_looks(daemon)
    (home / "run").write_text(PROGRAM + "# changed\n")
    until(lambda: has_new(daemon, "web", before))
    assert {name: daemon.pids(name) for name in kept} == kept
    assert daemon.status("stopped")["status"] == "stopped"
    assert daemon.text().count("has changed") == 1


def test_a_missing_package_is_told_in_a_sentence(start: Start, home: Path, tmp_path: Path) -> None:
    (shadow := tmp_path / "shadow").mkdir()
    (shadow / "watchfiles.py").write_text("raise ModuleNotFoundError(name='watchfiles')\n")
    body = watcher(home, "web", "./run") + plugin(False, "paths = src")
    daemon = start(body, environment={"PYTHONPATH": str(shadow)})
    until(lambda: daemon.said("paths needs watchfiles: pip install 'cvec-circus[reloader]'"))
