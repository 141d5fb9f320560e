"""Procfiles run by honcho and by ours: the same processes come; ours come again, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.importers.runs import (
    HERE,
    alive,
    circusd,
    commands,
    imported,
    kill_all,
    prepared,
    samples,
    started,
)
from tests.programs import wait_until

pytestmark = pytest.mark.live


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="imp") as short:
        yield Path(short)


def process_types(file: Path) -> int:
    """Return how many processes a Procfile has."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return sum(1 for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", samples("procfile"))
def test_the_same_processes_come(name: str, folder: Path) -> None:
    file = prepared("procfile", name, folder)
    count = process_types(file)
    with HERE.running("honcho", "start", log=folder / "honcho.out", cwd=folder):
        wait_until(lambda: len(alive(folder)) == count)
        theirs, running = started(folder), commands(alive(folder))
    ini, lost = imported(file)
    assert lost == []
    with circusd(ini):
        wait_until(lambda: len(alive(folder)) == count)
        assert started(folder) == theirs
        kill_all(folder)
        wait_until(lambda: commands(alive(folder)) == running)


def test_a_release_waits_to_be_asked_for(folder: Path) -> None:
    file = prepared("procfile", "heroku-node", folder)
    with file.open("a", encoding="utf-8") as more:
        more.write(f"release: {folder}/witness release --exit 0\n")
    ini, _ = imported(file)
    with circusd(ini) as control:
        wait_until(lambda: len(alive(folder)) == 1)
        assert control("status", "release")[1] == "stopped\n"
        assert control("start", "release")[0] == 0
        wait_until(lambda: len(started(folder)) == 2)
        control.wait_for("completed", "status", "release")
        assert len(started(folder)) == 2
