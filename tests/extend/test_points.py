"""Entry points are read once, and again as soon as a package has come or gone."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from cvec_circus_core.extend import points

GROUP = "cvec_circus.gates"


def install(folder: Path, name: str) -> None:
    """Put a distribution there that brings one gate, as an installer does: ready, then renamed."""
    coming = folder / f".{name}"
    coming.mkdir()
    (coming / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (coming / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {name}:gate\n")
    coming.rename(folder / f"{name}-1.dist-info")


def names() -> set[str]:
    return {one.name for one in points.points_of(GROUP)}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path


def test_groups_are_those_of_the_library() -> None:
    assert points.groups() == set(entry_points().groups)
    for group in points.groups():
        assert tuple(points.points_of(group)) == tuple(entry_points(group=group))


def test_a_package_that_comes_or_goes_is_noticed(site: Path) -> None:
    before = names()
    install(site, "early")
    assert names() == before | {"early"}
    install(site, "late")
    assert names() == before | {"early", "late"}
    (site / "early-1.dist-info").rename(site / "gone")
    assert names() == before | {"late"}


def test_a_folder_of_the_path_that_comes_or_goes_is_noticed(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(site, "there")
    assert "there" in names()
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(site)])
    assert "there" not in names()


def test_nothing_is_read_while_nothing_changes(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(site, "there")
    seen = names()
    monkeypatch.setattr(points, "entry_points", lambda: pytest.fail("read again"))
    assert names() == seen


def test_a_folder_that_is_not_there_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    before = names()
    monkeypatch.setattr(sys, "path", [*sys.path, "/nowhere/at/all", ""])
    assert names() == before
