"""What the wheel and the source archive hold."""

from __future__ import annotations

import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.packaging.building import ROOT, Distributions

PACKAGES = ("cvec_circus_core", "cvec_circus_plugins", "cvec_circus_cli")


def tracked(package: str) -> set[str]:
    """Return the files of a package as the wheel should name them."""
    return {
        str(file.relative_to(ROOT))
        for file in (ROOT / package).rglob("*")
        if file.is_file()
        and "__pycache__" not in file.parts
        and not file.is_relative_to(ROOT / "cvec_circus_plugins" / "compat")
    }


@pytest.fixture
def in_wheel(ours: Distributions) -> set[str]:
    return set(zipfile.ZipFile(ours.wheel).namelist())


@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_holds_every_file_of_a_package(package: str, in_wheel: set[str]) -> None:
    assert f"{package}/py.typed" in in_wheel
    assert {name for name in in_wheel if name.startswith(f"{package}/")} == tracked(package)


def test_the_wheel_holds_nothing_else_but_metadata(in_wheel: set[str]) -> None:
    tops = {name.partition("/")[0] for name in in_wheel} - set(PACKAGES)
    assert sorted(top.rpartition(".")[2] for top in tops) == ["data", "dist-info"]
    assert any(name.endswith("/licenses/LICENSE") for name in in_wheel)


def test_the_wheel_installs_a_manual_page_of_every_program(in_wheel: set[str]) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pages = {name for name in in_wheel if ".data/" in name}
    assert {name.partition(".data/")[2] for name in pages} == {
        f"data/share/man/man1/{program}.1" for program in declared["project"]["scripts"]
    }


@pytest.mark.parametrize(
    "name",
    ["LICENSE", "README.md", "CHANGELOG.md", "tox.ini", "pyproject.toml", "docs/index.rst"],
)
def test_the_source_archive_can_be_worked_on(name: str, ours: Distributions) -> None:
    with tarfile.open(ours.sdist) as archive:
        names = {str(Path(*Path(member).parts[1:])) for member in archive.getnames()}
    assert name in names
    assert "tests/test_architecture.py" in names
