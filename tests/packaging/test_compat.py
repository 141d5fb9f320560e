"""The distribution cvec-circus-compat: apart from the main one, and alone in its place."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.building import ROOT, Distributions, build

COMPAT = ROOT / "cvec_circus_plugins" / "compat"


@pytest.fixture(scope="module")
def compat(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The distribution, built."""
    return build(COMPAT, tmp_path_factory.mktemp("compat"))


def test_it_holds_the_package_and_nothing_else(compat: Distributions) -> None:
    names = zipfile.ZipFile(compat.wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "circus",
        "cvec_circus_compat-0.1.0.dist-info",
    }
    modules = {str(file.relative_to(COMPAT)) for file in (COMPAT / "circus").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def test_the_main_one_does_not_hold_it(ours: Distributions) -> None:
    names = zipfile.ZipFile(ours.wheel).namelist()
    assert not [name for name in names if "compat" in name or name.startswith("circus/")]


@pytest.mark.parametrize(
    ("version", "is_refused"), [("0.19.0", True), ("0.18", True), ("0.19.0+cvec", False)]
)
def test_it_refuses_to_stand_beside_the_real_one(
    tmp_path: Path, version: str, is_refused: bool
) -> None:
    metadata = tmp_path / f"circus-{version}.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: circus\nVersion: {version}\n")
    done = subprocess.run(
        [sys.executable, "-c", "import circus"],
        env={"PYTHONPATH": f"{COMPAT}:{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode != 0) is is_refused
    assert ("are both installed, and both are the package circus" in done.stderr) is is_refused
