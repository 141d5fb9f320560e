"""A file that is edited at random under a daemon that runs: what the plan says is what happens."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.live.conftest import Start
from tests.live.daemon import Daemon, until

pytestmark = pytest.mark.live

WORKER = Path(__file__).with_name("worker.py")
NAMES = ("alpha", "Beta", "gamma", "delta")
SOCKETS = ("web", "api")
EDITS = 8
SERVE = f"{sys.executable} -S {WORKER} $(circus.sockets.web) 0"

Section = Mapping[str, object]


class Editor:
    """Somebody who can not leave the file alone."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.folder = folder

    def text(self) -> tuple[str, dict[str, int]]:
        """Return a file, and how many processes each of its watchers is to have."""
        choose = self.random.choice
        lines = [
            f"[socket:{name}]\npath = {self.folder}/{name}-{choose((1, 2))}\n"
            f"backlog = {choose((64, 128))}\n"
            for name in SOCKETS
        ]
        wanted = {}
        for name in self.random.sample(NAMES, self.random.randint(1, len(NAMES))):
            wanted[name] = self.random.randint(0, 3)
            command = choose(
                ("sleep 1000", f"{sys.executable} -S {WORKER} $(circus.sockets.web) 0")
            )
            lines.append(
                f"[watcher:{name}]\ncmd = {command}\nuse_sockets = {'sockets' in command}\n"
                f"numprocesses = {wanted[name]}\npriority = {choose((0, 5))}\nready = alive:0.1\n"
                f"graceful_timeout = {choose((5, 6))}\nenv = RELEASE={choose((1, 1, 2))}\n"
            )
        return "".join(lines), wanted


def pids(daemon: Daemon) -> dict[str, set[int]]:
    """Return who runs, by watcher."""
    names = daemon.ok("list")["watchers"]
    return {name.lower(): set(daemon.pids(name)) for name in names}


def steps(plan: Mapping[str, list[Section]]) -> dict[str, str]:
    """Return what a plan says of each watcher."""
    return {str(one["name"]).lower(): str(one["action"]) for one in plan["watchers"]}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_the_plan_says_is_what_happens(start: Start, tmp_path: Path, seed: int) -> None:
    editor = Editor(seed, tmp_path)
    text, wanted = editor.text()
    daemon = start(text)
    daemon.ok("add", name="own", cmd="sleep 1000", start=True, waiting=True)
    for number in range(EDITS):
        for name, count in wanted.items():
            daemon.until_active(name, count)
        before = pids(daemon)
        text, wanted = editor.text()
        daemon.write(text)
        said = steps(daemon.ok("reloadconfig", plan=True)["plan"])
        assert pids(daemon) == before, "a plan changes nothing"
        done = steps(daemon.ok("reloadconfig", waiting=True)["plan"])
        where = f"seed {seed}, edit {number}"
        assert done == said, where
        for name, count in wanted.items():
            until(lambda name=name, count=count: len(daemon.pids(name)) == count)  # type: ignore[misc]
        after = pids(daemon)
        assert set(said) == set(before) | set(after), where
        assert set(after) == {name.lower() for name in wanted} | {"own"}, where
        for name, action in said.items():
            hold(action, before.get(name, set()), after.get(name), f"{where}: {action} {name}")


def hold(action: str, before: set[int], after: set[int] | None, where: str) -> None:
    """Hold what happened against what was said."""
    match action:
        case "keep" | "set":
            assert after == before, where
        case "remove":
            assert after is None, where
        case "resize":
            assert after is not None, where
            assert after <= before or before <= after, where
        case "reload" | "restart":
            assert after is not None, where
            assert not after & before, where
        case "add":
            assert before == set(), where
        case _:
            raise AssertionError(f"{where} is unheard of")
