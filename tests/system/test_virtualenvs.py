"""Where the packages of a virtual environment are: found, or told with what there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvec_circus_core.system.virtualenvs import site_packages

USUAL = "python3.11"


@pytest.mark.parametrize(
    ("present", "version", "folder"),
    [
        (["python3.11"], "", "python3.11"),
        (["python3.11", "python3.12"], "", "python3.11"),
        (["python3.11", "python3.12"], "python3.12", "python3.12"),
        (["python3.9"], "", "python3.9"),
    ],
)
def test_they_are_found(tmp_path: Path, present: list[str], version: str, folder: str) -> None:
    for name in present:
        (tmp_path / "lib" / name / "site-packages").mkdir(parents=True)
    packages = site_packages(str(tmp_path), version, USUAL)
    assert packages == str(tmp_path / "lib" / folder / "site-packages")


@pytest.mark.parametrize(
    ("present", "version", "sentence"),
    [
        ([], "", r"has no python3\.11 \(it has none\)"),
        (["python3.9"], "python3.12", r"has no python3\.12 \(it has python3\.9\)"),
        (["python3.8", "python3.9"], "", r"has no python3\.11 \(it has python3\.8, python3\.9\)"),
    ],
)
def test_another_python_is_told(
    tmp_path: Path, present: list[str], version: str, sentence: str
) -> None:
    for name in present:
        (tmp_path / "lib" / name / "site-packages").mkdir(parents=True)
    with pytest.raises(ValueError, match=sentence):
        site_packages(str(tmp_path), version, USUAL)


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the virtualenv '.*/none' is not there"):
        site_packages(str(tmp_path / "none"), "", USUAL)
