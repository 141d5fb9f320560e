"""The distribution cvec-circus-compat: apart from the main one, and alone in its place."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
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


PAGE = ROOT / "docs" / "howto" / "compat.rst"
PROGRAM = "pinned_program"
USE = (
    "from circus.arbiter import Arbiter; import circus; print(circus.__version__, Arbiter.__mro__)"
)


def write_program(folder: Path) -> None:
    """Write the wheel of a program that requires the older package."""
    info = f"{PROGRAM}-1.0.dist-info"
    metadata = (
        f"Metadata-Version: 2.1\nName: {PROGRAM}\nVersion: 1.0\nRequires-Dist: circus~=0.19\n"
    )
    files = {
        f"{PROGRAM}.py": "",
        f"{info}/METADATA": f"{metadata}Requires-Dist: circus~=0.19\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{PROGRAM}-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)


def commands(tool: str) -> list[str]:
    """Return the commands of the page that exchange the package by pip, or by uv."""
    section = PAGE.read_text(encoding="utf-8").partition("Where a program requires")[2]
    block = next(
        block
        for block in re.findall(r"code-block:: console\n\n((?:   .*\n)+)", section)
        if f"{tool} " in block
    )
    return [line.removeprefix("   $ ") for line in block.splitlines()]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("tool", ["pip", "uv"])
def test_it_takes_the_place_of_what_a_program_requires(
    tmp_path: Path, ours: Distributions, compat: Distributions, tool: str
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    write_program(wheels)
    for built in (ours, compat):
        (wheels / built.wheel.name).write_bytes(built.wheel.read_bytes())
    venv.create(tmp_path / "venv", with_pip=True)
    environ = {
        **os.environ,
        "PATH": f"{tmp_path}/venv/bin:{os.environ['PATH']}",
        "VIRTUAL_ENV": f"{tmp_path}/venv",
        "PIP_FIND_LINKS": str(wheels),
        "UV_FIND_LINKS": str(wheels),
    }

    def run(line: str) -> str:
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    if tool == "uv":
        run("pip install --quiet uv")
    for line in commands(tool):
        run(line.replace("aiida-core", PROGRAM))
    assert "cvec_circus_core" in run(f'python -c "{USE}; import {PROGRAM}"')
    names = [line.partition("==")[0] for line in run("pip list --format=freeze").splitlines()]
    assert "cvec-circus-compat" in names
    assert "circus" not in names
