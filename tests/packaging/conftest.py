"""Built distributions and a fresh environment, made once for all tests of this folder."""

from __future__ import annotations

import venv

import pytest

from tests.packaging.building import ROOT, Distributions, build
from tests.programs import Environment


@pytest.fixture(scope="session")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """This project, built."""
    return build(ROOT, tmp_path_factory.mktemp("ours"))


@pytest.fixture(scope="session")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The package of the example that brings a command, built."""
    project = ROOT / "docs" / "examples" / "command-package"
    return build(project, tmp_path_factory.mktemp("third_party"))


@pytest.fixture(scope="session")
def extras(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The package of the example that brings a plugin, a command, a stream and numbers, built."""
    project = ROOT / "docs" / "examples" / "plugin-package"
    return build(project, tmp_path_factory.mktemp("extras"))


@pytest.fixture(scope="session")
def environment(
    tmp_path_factory: pytest.TempPathFactory,
    ours: Distributions,
    third_party: Distributions,
    extras: Distributions,
) -> Environment:
    """A virtual environment with all wheels and what they need."""
    fresh = Environment(tmp_path_factory.mktemp("environment") / "venv")
    venv.create(fresh.folder, with_pip=True)
    wheels = [f"{ours.wheel}[web]", *(str(one.wheel) for one in (third_party, extras))]
    done = fresh.run("pip", "install", "-q", *wheels, limit=300)
    assert done.returncode == 0, done.stderr
    return fresh
